# The API for backends: an internal load balancer over the cores that are fit for traffic.
resource "aws_security_group" "api" {
  region      = var.region
  name_prefix = "${var.name}-api-"
  description = "Selvedge: backends to the load balancer of the cores' API"
  vpc_id      = var.vpc_id
  tags        = local.tags
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "api" {
  for_each          = toset(var.api_cidrs)
  region            = var.region
  security_group_id = aws_security_group.api.id
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = local.api_port
  to_port           = local.api_port
}

resource "aws_vpc_security_group_egress_rule" "api" {
  region                       = var.region
  security_group_id            = aws_security_group.api.id
  referenced_security_group_id = aws_security_group.core.id
  ip_protocol                  = "tcp"
  from_port                    = 7400
  to_port                      = 7400
}

locals {
  api_port = var.api_certificate_arn == null ? 80 : 443
}

resource "aws_lb" "api" {
  region                           = var.region
  name                             = "${var.name}-api"
  internal                         = true
  load_balancer_type               = "network"
  subnets                          = [for zone in local.zones : var.subnets[zone]]
  security_groups                  = [aws_security_group.api.id]
  enable_cross_zone_load_balancing = true
  tags                             = local.tags
}

resource "aws_lb_target_group" "api" {
  region               = var.region
  name                 = "${var.name}-api"
  vpc_id               = var.vpc_id
  protocol             = "TCP"
  port                 = 7400
  deregistration_delay = module.config.stop_seconds
  preserve_client_ip   = false
  tags                 = local.tags
  health_check {
    protocol            = "HTTP"
    path                = "/readyz"
    interval            = 5
    timeout             = 3
    healthy_threshold   = 2
    unhealthy_threshold = 2
  }
}

resource "aws_lb_listener" "api" {
  region            = var.region
  load_balancer_arn = aws_lb.api.arn
  port              = local.api_port
  protocol          = var.api_certificate_arn == null ? "TCP" : "TLS"
  certificate_arn   = var.api_certificate_arn
  ssl_policy        = var.api_certificate_arn == null ? null : "ELBSecurityPolicy-TLS13-1-2-2021-06"
  tags              = local.tags
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.api.arn
  }
}

resource "aws_route53_record" "api" {
  zone_id = var.zone_id
  name    = "api.${var.domain}"
  type    = "A"
  alias {
    name                   = aws_lb.api.dns_name
    zone_id                = aws_lb.api.zone_id
    evaluate_target_health = false
  }
}
