# Which region a client comes to first: the one with the shortest round trip that is healthy. Where
# it goes from there the edges tell it themselves.
resource "aws_route53_health_check" "region" {
  for_each          = var.accelerator ? {} : var.balancers
  type              = "HTTPS"
  fqdn              = "${each.key}.${var.domain}"
  port              = 443
  enable_sni        = true
  resource_path     = "/readyz"
  request_interval  = 10
  failure_threshold = 2
  tags              = merge(var.tags, { Name = "${var.name} ${each.key}" })
}

# An alias has its target's time to live, 60 s.
resource "aws_route53_record" "nearest" {
  for_each        = var.accelerator ? {} : var.balancers
  zone_id         = var.zone_id
  name            = var.domain
  type            = "A"
  set_identifier  = each.key
  health_check_id = aws_route53_health_check.region[each.key].id
  latency_routing_policy {
    region = each.key
  }
  alias {
    name                   = each.value.dns_name
    zone_id                = each.value.zone_id
    evaluate_target_health = true
  }
}

# It forgets a connection that is quiet for 340 s; sockets are pinged each 25 s.
resource "aws_globalaccelerator_accelerator" "this" {
  count   = var.accelerator ? 1 : 0
  name    = var.name
  enabled = true
  tags    = var.tags
}

resource "aws_globalaccelerator_listener" "this" {
  count           = var.accelerator ? 1 : 0
  accelerator_arn = aws_globalaccelerator_accelerator.this[0].arn
  protocol        = "TCP"
  port_range {
    from_port = 443
    to_port   = 443
  }
}

# The load balancers' own health is what counts here.
resource "aws_globalaccelerator_endpoint_group" "region" {
  for_each              = var.accelerator ? var.balancers : {}
  listener_arn          = aws_globalaccelerator_listener.this[0].arn
  endpoint_group_region = each.key
  endpoint_configuration {
    endpoint_id                    = each.value.arn
    weight                         = 100
    client_ip_preservation_enabled = true
  }
}

resource "aws_route53_record" "accelerated" {
  count   = var.accelerator ? 1 : 0
  zone_id = var.zone_id
  name    = var.domain
  type    = "A"
  alias {
    name                   = aws_globalaccelerator_accelerator.this[0].dns_name
    zone_id                = aws_globalaccelerator_accelerator.this[0].hosted_zone_id
    evaluate_target_health = false
  }
}
