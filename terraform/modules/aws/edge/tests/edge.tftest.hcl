mock_provider "aws" {
  mock_data "aws_ssm_parameter" {
    defaults = { value = "ami-0123456789abcdef0" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_resource "aws_lb_target_group" {
    defaults = { arn = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/edge/0123456789abcdef" }
  }
  mock_resource "aws_lb" {
    defaults = { arn = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/net/edge/0123456789abcdef" }
  }
  mock_resource "aws_iam_instance_profile" {
    defaults = { arn = "arn:aws:iam::123456789012:instance-profile/edge" }
  }
  mock_resource "aws_launch_template" {
    defaults = { latest_version = 7 }
  }
}

variables {
  name       = "chat"
  region     = "eu-west-1"
  vpc_id     = "vpc-1"
  subnet_ids = ["subnet-a", "subnet-b"]
  peer_cidrs = ["0.0.0.0/0"]
  seeds      = ["core-a.rt.example.com:7402"]
  domain     = "rt.example.com"
  zone_id    = "Z1"
  tls        = { certificate_arn = "arn:aws:acm:eu-west-1:123456789012:certificate/1" }
  secrets = {
    ca           = "arn:aws:secretsmanager:us-east-1:123456789012:secret:ca"
    ca_key       = "arn:aws:secretsmanager:us-east-1:123456789012:secret:ca-key"
    gossip_key   = "arn:aws:secretsmanager:us-east-1:123456789012:secret:gossip"
    token_secret = "arn:aws:secretsmanager:us-east-1:123456789012:secret:token"
  }
}

run "an_edge_drains_before_it_goes" {
  command = apply
  assert {
    condition     = one([for h in aws_autoscaling_group.edge.initial_lifecycle_hook : h.heartbeat_timeout if h.name == "drain" && h.lifecycle_transition == "autoscaling:EC2_INSTANCE_TERMINATING"]) > module.config.stop_seconds
    error_message = "the group does not wait until the edge has drained"
  }
  assert {
    condition     = tonumber(aws_lb_target_group.edge.deregistration_delay) == module.config.stop_seconds && !aws_lb_target_group.edge.connection_termination && !aws_lb_target_group.edge.target_health_state[0].enable_unhealthy_connection_termination
    error_message = "the load balancer cuts sockets that are asked to move"
  }
  assert {
    condition     = aws_autoscaling_group.edge.instance_maintenance_policy[0].min_healthy_percentage == 100 && aws_autoscaling_group.edge.instance_refresh[0].preferences[0].auto_rollback
    error_message = "a new edge stands before an old one goes, and a roll-out that fails goes back"
  }
  assert {
    condition     = aws_autoscaling_group.edge.launch_template[0].version == "7"
    error_message = "the group does not follow the template"
  }
  assert {
    condition     = aws_launch_template.edge.metadata_options[0].http_tokens == "required" && tobool(aws_launch_template.edge.block_device_mappings[0].ebs[0].encrypted)
    error_message = "IMDSv2 is required, and disks are encrypted"
  }
}

run "tls_ends_at_the_load_balancer" {
  command = apply
  assert {
    condition     = aws_lb_listener.edge.protocol == "TLS" && aws_lb_listener.edge.port == 443 && aws_lb_target_group.edge.health_check[0].protocol == "HTTP"
    error_message = "TLS should end at the load balancer"
  }
  assert {
    condition     = aws_lb_target_group.edge.health_check[0].path == "/readyz" && aws_lb_target_group.edge.health_check[0].port != "7413"
    error_message = "health is asked at the public port, never at the admin port"
  }
  assert {
    condition     = yamldecode(module.config.config).edge.regional_url == "https://eu-west-1.rt.example.com" && !contains(keys(yamldecode(module.config.config).edge), "tls_cert")
    error_message = "clients are told the region's URL: ${module.config.config}"
  }
  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.from_clients) == 0
    error_message = "clients come by the load balancer only"
  }
  assert {
    condition     = aws_lb_target_group.edge.preserve_client_ip
    error_message = "without clients' addresses a load balancer has 55,000 connections to an edge at most"
  }
}

run "each_edge_has_its_own_name" {
  command = apply
  variables {
    addressing = "per_edge"
    tls        = { secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:tls" }
  }
  assert {
    condition     = aws_lb_listener.edge.protocol == "TCP" && aws_lb_target_group.edge.health_check[0].protocol == "HTTPS" && aws_lb_target_group.edge.port == 443
    error_message = "TLS should pass through the load balancer"
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.from_clients[0].from_port == 443
    error_message = "clients can't reach the edges"
  }
  assert {
    condition     = !contains(keys(yamldecode(module.config.config).edge), "regional_url") && yamldecode(module.config.config).edge.tls_cert == "/etc/selvedge/keys/public.pem"
    error_message = "got ${module.config.config}"
  }
  assert {
    condition     = strcontains(one([for f in module.agent.files : f.content if f.path == "/etc/selvedge/agent.env"]), "EDGE_DOMAIN='rt.example.com'")
    error_message = "the agent does not register the edge's name"
  }
  assert {
    condition     = one([for s in jsondecode(aws_iam_role_policy.edge.policy).Statement : s.Condition["ForAllValues:StringLike"]["route53:ChangeResourceRecordSetsNormalizedRecordNames"] if s.Action == "route53:ChangeResourceRecordSets"]) == ["i-*.rt.example.com"]
    error_message = "an edge may write names of machines only"
  }
}

run "balanced_edges_write_no_names" {
  command = apply
  assert {
    condition     = length([for s in jsondecode(aws_iam_role_policy.edge.policy).Statement : s if s.Action == "route53:ChangeResourceRecordSets"]) == 0
    error_message = "an edge without a name of its own may write DNS records"
  }
  assert {
    condition     = toset(flatten([for s in jsondecode(aws_iam_role_policy.edge.policy).Statement : s.Resource if s.Action == "secretsmanager:GetSecretValue"])) == toset(values({ for key, arn in var.secrets : key => arn if key != "kms_keys" && arn != null }))
    error_message = "an edge reads its own secrets and no others"
  }
}

run "peered_nodes_come_by_private_networks" {
  command = apply
  variables {
    connectivity = "peered"
    peer_cidrs   = ["10.1.0.0/16", "10.2.0.0/16"]
  }
  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.nodes) == 6 && alltrue([for r in aws_vpc_security_group_ingress_rule.nodes : contains([7411, 7412], r.from_port)])
    error_message = "link and gossip by TCP and UDP, from each of two networks, and nothing else"
  }
  assert {
    condition     = strcontains(one([for f in module.agent.files : f.content if f.path == "/etc/selvedge/agent.env"]), "ADDRESS='local-ipv4'")
    error_message = "peered nodes advertise private addresses"
  }
}

run "it_scales_by_sockets_and_load" {
  command = apply
  assert {
    condition     = aws_autoscaling_policy.this["sockets"].target_tracking_configuration[0].target_value == 60000 && aws_autoscaling_policy.this["load"].target_tracking_configuration[0].target_value == 0.6
    error_message = "the group should be scaled to 60,000 sockets an edge, and a load of 0.6"
  }
  assert {
    condition     = alltrue([for p in aws_autoscaling_policy.this : p.target_tracking_configuration[0].customized_metric_specification[0].metric_dimension[0].value == aws_autoscaling_group.edge.name])
    error_message = "the metric is another group's"
  }
}

run "alarms_and_dashboard" {
  command = apply
  variables {
    alarms    = { enabled = true, actions = ["arn:aws:sns:eu-west-1:123456789012:ops"] }
    dashboard = true
  }
  assert {
    condition     = length(aws_cloudwatch_metric_alarm.edge) == 4 && length(aws_cloudwatch_dashboard.edge) == 1
    error_message = "four alarms and a dashboard"
  }
  assert {
    condition = alltrue([for w in jsondecode(aws_cloudwatch_dashboard.edge[0].dashboard_body).widgets : alltrue([
      for m in w.properties.metrics : strcontains(one([for f in module.agent.files : f.content if endswith(f.path, "/agent")]), "add ${m[1]} ")
    ])])
    error_message = "the dashboard shows what the agent does not publish"
  }
  assert {
    condition = alltrue([for a in aws_cloudwatch_metric_alarm.edge :
      strcontains(one([for f in module.agent.files : f.content if endswith(f.path, "/agent")]), "add ${a.metric_name} ")
    ])
    error_message = "an alarm looks at what the agent does not publish"
  }
}

run "none_of_them_unless_wanted" {
  command = plan
  assert {
    condition     = length(aws_cloudwatch_metric_alarm.edge) == 0 && length(aws_cloudwatch_dashboard.edge) == 0
    error_message = "nobody asked for alarms"
  }
}

run "rejects_two_ends_of_tls" {
  command = plan
  variables {
    tls = { certificate_arn = "arn:aws:acm:eu-west-1:123456789012:certificate/1", secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:tls" }
  }
  expect_failures = [var.tls]
}

run "rejects_own_names_behind_the_load_balancers_tls" {
  command = plan
  variables {
    addressing = "per_edge"
  }
  expect_failures = [var.tls]
}

run "rejects_a_drain_longer_than_a_group_waits" {
  command = plan
  variables {
    drain = { rate = 10 }
  }
  expect_failures = [var.drain]
}

run "rejects_a_size_upside_down" {
  command = plan
  variables {
    size = { min = 3, max = 1 }
  }
  expect_failures = [var.size]
}

run "rejects_edges_without_a_key_for_tokens" {
  command = plan
  variables {
    secrets = {
      ca         = "arn:aws:secretsmanager:us-east-1:123456789012:secret:ca"
      ca_key     = "arn:aws:secretsmanager:us-east-1:123456789012:secret:ca-key"
      gossip_key = "arn:aws:secretsmanager:us-east-1:123456789012:secret:gossip"
    }
  }
  expect_failures = [var.tokens]
}
