# The edges of one region: a group of machines, each of which makes its own certificate, says when
# it is fit for traffic, and drains before it goes.
data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

data "aws_ssm_parameter" "image" {
  count  = var.image_id == null ? 1 : 0
  region = var.region
  name   = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-${var.architecture}"
}

locals {
  group       = "${var.name}-edge-${var.region}"
  host        = "${var.region}.${var.domain}"
  per_edge    = var.addressing == "per_edge"
  tls_in_edge = var.tls.secret_arn != null
  # Clients come by 443 only, to the load balancer or to the edge itself.
  public_port = local.per_edge ? 443 : 7410
  tags        = merge(var.tags, { "selvedge:group" = local.group })
  image       = var.image_id == null ? nonsensitive(data.aws_ssm_parameter.image[0].value) : var.image_id
}

module "agent" {
  source = "../agent"
  settings = {
    ROLE         = "edge"
    REGION       = var.region
    GROUP        = local.group
    ADDRESS      = var.connectivity == "public" ? "public-ipv4" : "local-ipv4"
    ADMIN_PORT   = "7413"
    DATA         = ""
    ZONE_ID      = var.zone_id
    EDGE_DOMAIN  = local.per_edge ? var.domain : ""
    CA           = var.secrets.ca
    CA_KEY       = var.secrets.ca_key
    CERT_TTL     = "8760h"
    GOSSIP_KEY   = var.secrets.gossip_key
    TOKEN_SECRET = var.secrets.token_secret == null ? "" : var.secrets.token_secret
    TLS_SECRET   = local.tls_in_edge ? var.tls.secret_arn : ""
  }
}

module "config" {
  source         = "../../node-config"
  role           = "edge"
  region         = var.region
  cluster        = var.name
  join           = var.seeds
  binary         = var.binary
  max_open_files = max(4096, ceil((var.sockets.max + 1024) / 0.9))
  listen         = { public = ":${local.public_port}" }
  files = {
    cert     = "/etc/selvedge/keys/node.pem"
    key      = "/etc/selvedge/keys/node.pem"
    tls_cert = "/etc/selvedge/keys/public.pem"
    tls_key  = "/etc/selvedge/keys/public.pem"
  }
  edge = {
    regional_url    = local.per_edge ? "" : "https://${local.host}"
    allowed_origins = var.allowed_origins
    tls             = local.tls_in_edge
    max_sockets     = var.sockets.max
    cache_bytes     = var.cache_bytes
    drain_seconds   = var.drain.seconds
    drain_rate      = var.drain.rate
    token_jwks_url  = var.tokens.jwks_url
    token_audience  = var.tokens.audience
    token_issuer    = var.tokens.issuer
  }
  settings         = var.settings
  prepare          = module.agent.prepare
  extra_files      = module.agent.files
  units            = module.agent.units
  denied_addresses = module.agent.denied_addresses
}

resource "aws_launch_template" "edge" {
  region                 = var.region
  name                   = local.group
  image_id               = local.image
  instance_type          = var.instance_type
  update_default_version = true
  user_data              = base64gzip(module.config.cloud_init)
  tags                   = local.tags

  iam_instance_profile {
    arn = aws_iam_instance_profile.edge.arn
  }
  block_device_mappings {
    device_name = "/dev/xvda"
    ebs {
      encrypted   = true
      volume_type = "gp3"
    }
  }
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }
  network_interfaces {
    associate_public_ip_address = true
    security_groups             = [aws_security_group.edge.id]
  }
  tag_specifications {
    resource_type = "instance"
    tags          = merge(local.tags, { Name = local.group })
  }

  lifecycle {
    precondition {
      condition     = length(base64gzip(module.config.cloud_init)) * 3 / 4 <= 16384
      error_message = "The user data is larger than the 16 KiB that a machine takes: shorten settings."
    }
  }
}

# A new edge stands before an old one goes; a roll-out that fails goes back by itself.
resource "aws_autoscaling_group" "edge" {
  region                    = var.region
  name                      = local.group
  min_size                  = var.size.min
  max_size                  = var.size.max
  vpc_zone_identifier       = var.subnet_ids
  target_group_arns         = [aws_lb_target_group.edge.arn]
  health_check_type         = "ELB"
  health_check_grace_period = 120
  wait_for_capacity_timeout = "0"
  termination_policies      = ["OldestLaunchTemplate", "OldestInstance"]

  launch_template {
    id      = aws_launch_template.edge.id
    version = aws_launch_template.edge.latest_version
  }
  initial_lifecycle_hook {
    name                 = "ready"
    lifecycle_transition = "autoscaling:EC2_INSTANCE_LAUNCHING"
    heartbeat_timeout    = 900
    default_result       = "ABANDON"
  }
  initial_lifecycle_hook {
    name                 = "drain"
    lifecycle_transition = "autoscaling:EC2_INSTANCE_TERMINATING"
    heartbeat_timeout    = max(30, module.config.stop_seconds + 60)
    default_result       = "CONTINUE"
  }
  instance_maintenance_policy {
    min_healthy_percentage = 100
    max_healthy_percentage = 120
  }
  instance_refresh {
    strategy = "Rolling"
    preferences {
      min_healthy_percentage = 100
      max_healthy_percentage = 120
      auto_rollback          = true
      skip_matching          = true
    }
  }
  dynamic "tag" {
    for_each = local.tags
    content {
      key                 = tag.key
      value               = tag.value
      propagate_at_launch = true
    }
  }
  lifecycle {
    ignore_changes = [desired_capacity] # scaling decides
  }

  # A machine that can't read its secrets doesn't start.
  depends_on = [aws_iam_role_policy.edge]
}

# The group grows when either mean is above its target, and shrinks when both are below.
resource "aws_autoscaling_policy" "this" {
  for_each = {
    sockets = { metric = "EdgeSockets", target = var.sockets.target }
    load    = { metric = "EdgeLoad", target = var.load_target }
  }
  region                    = var.region
  name                      = "${local.group}-${each.key}"
  autoscaling_group_name    = aws_autoscaling_group.edge.name
  policy_type               = "TargetTrackingScaling"
  estimated_instance_warmup = 120
  target_tracking_configuration {
    target_value = each.value.target
    customized_metric_specification {
      namespace   = "Selvedge"
      metric_name = each.value.metric
      statistic   = "Average"
      metric_dimension {
        name  = "AutoScalingGroupName"
        value = local.group
      }
    }
  }
}
