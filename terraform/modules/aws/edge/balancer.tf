# The only balanced port is clients' TCP 443. Links and gossip go from node to node.
resource "aws_security_group" "balancer" {
  region      = var.region
  name_prefix = "${local.group}-lb-"
  description = "Selvedge: clients to the load balancer"
  vpc_id      = var.vpc_id
  tags        = local.tags
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "clients" {
  region            = var.region
  security_group_id = aws_security_group.balancer.id
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "balancer" {
  region                       = var.region
  security_group_id            = aws_security_group.balancer.id
  referenced_security_group_id = aws_security_group.edge.id
  ip_protocol                  = "tcp"
  from_port                    = local.public_port
  to_port                      = local.public_port
}

resource "aws_lb" "edge" {
  region                           = var.region
  name                             = "${var.name}-${var.region}"
  load_balancer_type               = "network"
  subnets                          = var.subnet_ids
  security_groups                  = [aws_security_group.balancer.id]
  enable_cross_zone_load_balancing = var.cross_zone
  tags                             = local.tags
}

# Clients' addresses are kept: without that, a balancer can't have more than some 55,000
# connections to one edge.
resource "aws_lb_target_group" "edge" {
  region                 = var.region
  name                   = "${var.name}-${var.region}"
  vpc_id                 = var.vpc_id
  protocol               = "TCP"
  port                   = local.public_port
  preserve_client_ip     = true
  deregistration_delay   = min(3600, module.config.stop_seconds)
  connection_termination = false
  tags                   = local.tags

  # The public port says whether the edge is fit for traffic; the admin port stays on loopback.
  health_check {
    protocol            = local.tls_in_edge ? "HTTPS" : "HTTP"
    path                = "/readyz"
    interval            = 5
    timeout             = 3
    healthy_threshold   = 2
    unhealthy_threshold = 2
  }
  # An edge that drains is unhealthy, and its clients go when it asks them.
  target_health_state {
    enable_unhealthy_connection_termination = false
    unhealthy_draining_interval             = min(3600, module.config.stop_seconds)
  }
}

# Sockets are pinged each 25 s, so an idle one is never quiet for as long as this.
resource "aws_lb_listener" "edge" {
  region                   = var.region
  load_balancer_arn        = aws_lb.edge.arn
  port                     = 443
  protocol                 = local.tls_in_edge ? "TCP" : "TLS"
  certificate_arn          = var.tls.certificate_arn
  ssl_policy               = local.tls_in_edge ? null : "ELBSecurityPolicy-TLS13-1-2-2021-06"
  tcp_idle_timeout_seconds = local.tls_in_edge ? 350 : null
  tags                     = local.tags
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.edge.arn
  }
}

# This region's own name: what clients are told by /v1/edges.
resource "aws_route53_record" "region" {
  zone_id = var.zone_id
  name    = local.host
  type    = "A"
  alias {
    name                   = aws_lb.edge.dns_name
    zone_id                = aws_lb.edge.zone_id
    evaluate_target_health = false
  }
}
