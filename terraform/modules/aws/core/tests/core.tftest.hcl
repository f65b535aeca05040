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
    defaults = { arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/api/0123456789abcdef" }
  }
  mock_resource "aws_lb" {
    defaults = { arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/net/api/0123456789abcdef" }
  }
  mock_resource "aws_iam_instance_profile" {
    defaults = { arn = "arn:aws:iam::123456789012:instance-profile/core" }
  }
  mock_resource "aws_launch_template" {
    defaults = { latest_version = 7 }
  }
}

variables {
  name       = "chat"
  region     = "us-east-1"
  vpc_id     = "vpc-1"
  subnets    = { us-east-1a = "subnet-a", us-east-1b = "subnet-b", us-east-1c = "subnet-c" }
  peer_cidrs = ["0.0.0.0/0"]
  api_cidrs  = ["10.1.0.0/16"]
  domain     = "rt.example.com"
  zone_id    = "Z1"
  secrets = {
    nodes = {
      us-east-1a = "arn:aws:secretsmanager:us-east-1:123456789012:secret:core-a"
      us-east-1b = "arn:aws:secretsmanager:us-east-1:123456789012:secret:core-b"
      us-east-1c = "arn:aws:secretsmanager:us-east-1:123456789012:secret:core-c"
    }
    ca         = "arn:aws:secretsmanager:us-east-1:123456789012:secret:ca"
    gossip_key = "arn:aws:secretsmanager:us-east-1:123456789012:secret:gossip"
    api_keys   = "arn:aws:secretsmanager:us-east-1:123456789012:secret:api"
  }
}

run "three_cores_one_at_a_time" {
  command = apply
  assert {
    condition     = length(aws_ebs_volume.data) == 3 && alltrue([for v in aws_ebs_volume.data : v.encrypted])
    error_message = "each zone has a disk, and it is encrypted"
  }
  assert {
    condition     = aws_autoscaling_group.core.min_size == 3 && aws_autoscaling_group.core.max_size == 3
    error_message = "three cores, no more and no fewer"
  }
  assert {
    condition     = aws_autoscaling_group.core.instance_maintenance_policy[0].max_healthy_percentage == 100 && aws_autoscaling_group.core.instance_maintenance_policy[0].min_healthy_percentage == 66
    error_message = "a core can't start before the last one has let go its disk, and only one of three may be missing"
  }
  assert {
    condition     = aws_autoscaling_group.core.instance_refresh[0].preferences[0].min_healthy_percentage == 66 && aws_autoscaling_group.core.instance_refresh[0].preferences[0].max_healthy_percentage == 100
    error_message = "a roll-out takes more than one of three cores"
  }
  assert {
    condition     = length([for h in aws_autoscaling_group.core.initial_lifecycle_hook : h if h.name == "ready" && h.lifecycle_transition == "autoscaling:EC2_INSTANCE_LAUNCHING"]) == 1
    error_message = "nobody waits until a new core is fit for traffic"
  }
  assert {
    condition     = aws_launch_template.core.metadata_options[0].http_tokens == "required"
    error_message = "IMDSv2 is required"
  }
  assert {
    condition     = output.seeds == ["core-a.rt.example.com:7402", "core-b.rt.example.com:7402", "core-c.rt.example.com:7402"]
    error_message = "got ${jsonencode(output.seeds)}"
  }
  assert {
    condition     = yamldecode(module.config.config).core.replicas == 3 && yamldecode(module.config.config).core.cluster == "chat"
    error_message = "the logs are not replicated: ${module.config.config}"
  }
  assert {
    condition     = yamldecode(module.config.config).core.keep_bytes * 16 <= 0.8 * 100 * 1073741824
    error_message = "the logs may grow beyond the disk"
  }
}

run "a_core_may_do_no_more_than_it_needs" {
  command = apply
  assert {
    condition     = !strcontains(aws_iam_role_policy.core.policy, "\"Action\":\"*\"") && length(regexall("\"Resource\":\"\\*\"", aws_iam_role_policy.core.policy)) == 1
    error_message = "only metrics have no resource to name: ${aws_iam_role_policy.core.policy}"
  }
  assert {
    condition     = sort(flatten([for s in jsondecode(aws_iam_role_policy.core.policy).Statement : s.Resource if s.Action == "secretsmanager:GetSecretValue"])) == sort(concat(values(var.secrets.nodes), [var.secrets.ca, var.secrets.gossip_key, var.secrets.api_keys]))
    error_message = "a core reads its own secrets and no others"
  }
  assert {
    condition     = one([for s in jsondecode(aws_iam_role_policy.core.policy).Statement : s.Condition["ForAllValues:StringEquals"]["route53:ChangeResourceRecordSetsNormalizedRecordNames"] if s.Action == "route53:ChangeResourceRecordSets"]) == ["core-a.rt.example.com", "core-b.rt.example.com", "core-c.rt.example.com"]
    error_message = "a core writes the cores' names and no others"
  }
}

run "nodes_and_backends_come_in_and_nobody_else" {
  command = apply
  variables {
    connectivity = "peered"
    peer_cidrs   = ["10.1.0.0/16", "10.2.0.0/16"]
  }
  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.nodes) == 8
    error_message = "link, gossip by TCP and UDP, and the log, from each of two networks"
  }
  assert {
    condition     = alltrue([for r in aws_vpc_security_group_ingress_rule.nodes : contains([7401, 7402, 7404], r.from_port) && r.from_port == r.to_port])
    error_message = "a port is open that no node comes to; never the admin port"
  }
  assert {
    condition     = strcontains(one([for f in module.agent.files : f.content if f.path == "/etc/selvedge/agent.env"]), "ADDRESS='local-ipv4'")
    error_message = "peered nodes advertise private addresses"
  }
  assert {
    condition     = aws_lb.api.internal && aws_lb_target_group.api.health_check[0].path == "/readyz"
    error_message = "the API is for backends within"
  }
}

run "one_core" {
  command = apply
  variables {
    subnets = { us-east-1a = "subnet-a" }
  }
  assert {
    condition     = yamldecode(module.config.config).core.replicas == 1 && length(output.seeds) == 1
    error_message = "one zone is one core, with one copy of the logs"
  }
  assert {
    condition     = length([for r in aws_vpc_security_group_ingress_rule.nodes : r if r.from_port == 7404]) == 0
    error_message = "a single core has no log port"
  }
  assert {
    condition     = aws_autoscaling_group.core.instance_refresh[0].preferences[0].min_healthy_percentage == 0
    error_message = "a single core is replaced by its end first"
  }
}

run "public_addresses_and_alarms" {
  command = apply
  variables {
    api_certificate_arn = "arn:aws:acm:us-east-1:123456789012:certificate/1"
    alarms              = { enabled = true, actions = ["arn:aws:sns:us-east-1:123456789012:ops"] }
  }
  assert {
    condition     = strcontains(one([for f in module.agent.files : f.content if f.path == "/etc/selvedge/agent.env"]), "ADDRESS='public-ipv4'")
    error_message = "nodes of other regions come by public addresses"
  }
  assert {
    condition     = aws_lb_listener.api.protocol == "TLS" && output.publish_url == "https://api.rt.example.com"
    error_message = "a certificate is given, and the API has no TLS"
  }
  assert {
    condition     = length(aws_cloudwatch_metric_alarm.core) == 3 && alltrue([for a in aws_cloudwatch_metric_alarm.core : a.alarm_actions == toset(["arn:aws:sns:us-east-1:123456789012:ops"])])
    error_message = "three alarms that tell somebody"
  }
}

run "rejects_two_zones" {
  command = plan
  variables {
    subnets = { us-east-1a = "subnet-a", us-east-1b = "subnet-b" }
  }
  expect_failures = [var.subnets]
}

run "rejects_a_secret_that_is_a_value" {
  command = plan
  variables {
    secrets = {
      nodes = {
        us-east-1a = "arn:aws:secretsmanager:us-east-1:123456789012:secret:core-a"
        us-east-1b = "arn:aws:secretsmanager:us-east-1:123456789012:secret:core-b"
        us-east-1c = "arn:aws:secretsmanager:us-east-1:123456789012:secret:core-c"
      }
      ca         = "arn:aws:secretsmanager:us-east-1:123456789012:secret:ca"
      gossip_key = "aGVsbG8="
      api_keys   = "arn:aws:secretsmanager:us-east-1:123456789012:secret:api"
    }
  }
  expect_failures = [var.secrets]
}

run "rejects_the_internet_among_peers" {
  command = plan
  variables {
    connectivity = "peered"
  }
  expect_failures = [var.peer_cidrs]
}
