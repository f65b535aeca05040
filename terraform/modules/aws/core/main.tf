# Cores in one group, one in each zone. A machine is the core of its zone: it takes the zone's
# volume, certificate and name, so another machine goes on where the last one was.
data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

data "aws_ssm_parameter" "image" {
  count  = var.image_id == null ? 1 : 0
  region = var.region
  name   = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-${var.architecture}"
}

locals {
  group = "${var.name}-core"
  zones = sort(keys(var.subnets))
  names = { for i, zone in local.zones : zone => "core-${substr("abc", i, 1)}" }
  hosts = { for zone, name in local.names : zone => "${name}.${var.domain}" }
  seeds = [for zone in local.zones : "${local.hosts[zone]}:7402"]
  tags  = merge(var.tags, { "selvedge:group" = local.group })
  image = var.image_id == null ? nonsensitive(data.aws_ssm_parameter.image[0].value) : var.image_id
}

module "agent" {
  source = "../agent"
  settings = {
    ROLE         = "core"
    REGION       = var.region
    GROUP        = local.group
    ADDRESS      = var.connectivity == "public" ? "public-ipv4" : "local-ipv4"
    ADMIN_PORT   = "7403"
    DATA         = "/var/lib/selvedge"
    ZONE_ID      = var.zone_id
    CA           = var.secrets.ca
    GOSSIP_KEY   = var.secrets.gossip_key
    API_KEYS     = var.secrets.api_keys
    NODES        = join(" ", [for zone in local.zones : "${zone}=${var.secrets.nodes[zone]}"])
    VOLUMES      = join(" ", [for zone in local.zones : "${zone}=${aws_ebs_volume.data[zone].id}"])
    NAMES        = join(" ", [for zone in local.zones : "${zone}=${local.hosts[zone]}"])
    EDGE_DOMAIN  = ""
    TLS_SECRET   = ""
    TOKEN_SECRET = ""
  }
}

module "config" {
  source  = "../../node-config"
  role    = "core"
  region  = var.region
  cluster = var.name
  join    = local.seeds
  binary  = var.binary
  files = {
    cert = "/etc/selvedge/keys/node.pem"
    key  = "/etc/selvedge/keys/node.pem"
  }
  core = {
    replicas   = length(local.zones)
    sync       = var.sync
    keep_bytes = floor(var.disk.size * 1073741824 * 0.8 / 16)
  }
  settings         = var.settings
  prepare          = module.agent.prepare
  extra_files      = module.agent.files
  units            = module.agent.units
  denied_addresses = module.agent.denied_addresses
}

resource "aws_ebs_volume" "data" {
  for_each          = var.subnets
  region            = var.region
  availability_zone = each.key
  type              = "gp3"
  size              = var.disk.size
  iops              = var.disk.iops
  throughput        = var.disk.throughput
  encrypted         = true
  kms_key_id        = var.kms_key_arn
  tags              = merge(local.tags, { Name = "${var.name}-${local.names[each.key]}" })
}

resource "aws_launch_template" "core" {
  region                 = var.region
  name                   = local.group
  image_id               = local.image
  instance_type          = var.instance_type
  update_default_version = true
  user_data              = base64gzip(module.config.cloud_init)
  tags                   = local.tags

  iam_instance_profile {
    arn = aws_iam_instance_profile.core.arn
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
    security_groups             = [aws_security_group.core.id]
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

# One core at a time: the group ends a machine, starts another in its zone, and goes on when that
# one says, by the hook ready, that it is fit for traffic.
resource "aws_autoscaling_group" "core" {
  region                    = var.region
  name                      = local.group
  min_size                  = length(local.zones)
  max_size                  = length(local.zones)
  desired_capacity          = length(local.zones)
  vpc_zone_identifier       = [for zone in local.zones : var.subnets[zone]]
  target_group_arns         = [aws_lb_target_group.api.arn]
  health_check_type         = "EC2"
  suspended_processes       = ["AZRebalance"]
  wait_for_capacity_timeout = "0"

  launch_template {
    id      = aws_launch_template.core.id
    version = aws_launch_template.core.latest_version
  }
  availability_zone_distribution {
    capacity_distribution_strategy = "balanced-only"
  }
  initial_lifecycle_hook {
    name                 = "ready"
    lifecycle_transition = "autoscaling:EC2_INSTANCE_LAUNCHING"
    heartbeat_timeout    = 1800
    default_result       = "ABANDON"
  }
  initial_lifecycle_hook {
    name                 = "drain"
    lifecycle_transition = "autoscaling:EC2_INSTANCE_TERMINATING"
    heartbeat_timeout    = max(30, module.config.stop_seconds + 60)
    default_result       = "CONTINUE"
  }
  instance_maintenance_policy {
    min_healthy_percentage = length(local.zones) == 1 ? 0 : 66
    max_healthy_percentage = 100
  }
  instance_refresh {
    strategy = "Rolling"
    preferences {
      min_healthy_percentage = length(local.zones) == 1 ? 0 : 66
      max_healthy_percentage = 100
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

  # A machine that can't read its secrets doesn't start.
  depends_on = [aws_iam_role_policy.core, aws_route53_record.core]
}

# The cores write their addresses here themselves; what stands here first is nobody's (RFC 5737).
resource "aws_route53_record" "core" {
  for_each = local.hosts
  zone_id  = var.zone_id
  name     = each.value
  type     = "A"
  ttl      = 30
  records  = ["192.0.2.1"]
  lifecycle {
    ignore_changes = [records]
  }
}
