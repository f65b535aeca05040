mock_provider "aws" {}

variables {
  name    = "chat"
  zone_id = "Z1"
  domain  = "rt.example.com"
  balancers = {
    us-east-1 = { dns_name = "us.elb.example.com", zone_id = "Z2", arn = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/net/us/1" }
    eu-west-1 = { dns_name = "eu.elb.example.com", zone_id = "Z3", arn = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/net/eu/1" }
  }
}

run "the_nearest_region_that_is_healthy" {
  command = apply
  assert {
    condition     = alltrue([for region, r in aws_route53_record.nearest : r.latency_routing_policy[0].region == region && r.set_identifier == region && r.health_check_id == aws_route53_health_check.region[region].id])
    error_message = "a region's record has another's place or health"
  }
  assert {
    condition     = alltrue([for region, h in aws_route53_health_check.region : h.type == "HTTPS" && h.port == 443 && h.resource_path == "/readyz" && h.fqdn == "${region}.rt.example.com"])
    error_message = "health is asked at the public port of the region's own name"
  }
  assert {
    condition     = length(aws_globalaccelerator_accelerator.this) == 0
    error_message = "nobody asked for an accelerator"
  }
  assert {
    condition     = output.client_url == "https://rt.example.com"
    error_message = "got ${output.client_url}"
  }
  assert {
    condition     = endswith(output.listen, "--token \"$TOKEN\"")
    error_message = "got ${output.listen}"
  }
}

run "a_line_that_listens" {
  command = plan
  variables {
    token_secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:token"
  }
  assert {
    condition     = startswith(output.listen, "selvedge listen --edge https://rt.example.com ") && strcontains(output.listen, "--region eu-west-1 --secret-id ${var.token_secret_arn} ")
    error_message = "got ${output.listen}"
  }
}

run "by_an_accelerator" {
  command = apply
  variables {
    accelerator = true
  }
  assert {
    condition     = length(aws_globalaccelerator_endpoint_group.region) == 2 && length(aws_route53_record.nearest) == 0 && length(aws_route53_record.accelerated) == 1
    error_message = "one way or the other, not both"
  }
  assert {
    condition     = alltrue([for region, g in aws_globalaccelerator_endpoint_group.region : one(g.endpoint_configuration).endpoint_id == var.balancers[region].arn && one(g.endpoint_configuration).client_ip_preservation_enabled])
    error_message = "an endpoint is another region's, or clients lose their addresses"
  }
}

run "rejects_no_region" {
  command = plan
  variables {
    balancers = {}
  }
  expect_failures = [var.balancers]
}
