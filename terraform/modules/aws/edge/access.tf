# Who reaches an edge, and what an edge may do.
resource "aws_security_group" "edge" {
  region      = var.region
  name_prefix = "${local.group}-"
  description = "Selvedge: the edges"
  vpc_id      = var.vpc_id
  tags        = local.tags
  lifecycle {
    create_before_destroy = true
  }
}

locals {
  node_rules = merge([for cidr in distinct(var.peer_cidrs) : {
    "link ${cidr}"       = { protocol = "udp", port = 7411, cidr = cidr }
    "gossip-tcp ${cidr}" = { protocol = "tcp", port = 7412, cidr = cidr }
    "gossip-udp ${cidr}" = { protocol = "udp", port = 7412, cidr = cidr }
  }]...)
}

resource "aws_vpc_security_group_ingress_rule" "nodes" {
  for_each          = local.node_rules
  region            = var.region
  security_group_id = aws_security_group.edge.id
  description       = each.key
  cidr_ipv4         = each.value.cidr
  ip_protocol       = each.value.protocol
  from_port         = each.value.port
  to_port           = each.value.port
}

resource "aws_vpc_security_group_ingress_rule" "from_balancer" {
  region                       = var.region
  security_group_id            = aws_security_group.edge.id
  description                  = "the load balancer"
  referenced_security_group_id = aws_security_group.balancer.id
  ip_protocol                  = "tcp"
  from_port                    = local.public_port
  to_port                      = local.public_port
}

resource "aws_vpc_security_group_ingress_rule" "from_clients" {
  count             = local.per_edge ? 1 : 0
  region            = var.region
  security_group_id = aws_security_group.edge.id
  description       = "clients, at the edge's own name"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = local.public_port
  to_port           = local.public_port
}

resource "aws_vpc_security_group_egress_rule" "edge" {
  region            = var.region
  security_group_id = aws_security_group.edge.id
  description       = "other nodes, and AWS"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "-1"
}

resource "aws_iam_role" "edge" {
  name_prefix = "${local.group}-"
  tags        = local.tags
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ec2.amazonaws.com" } }]
  })
}

resource "aws_iam_instance_profile" "edge" {
  name_prefix = "${local.group}-"
  role        = aws_iam_role.edge.name
  tags        = local.tags
}

locals {
  arn     = "arn:${data.aws_partition.this.partition}"
  account = data.aws_caller_identity.this.account_id
  secrets = compact([var.secrets.ca, var.secrets.ca_key, var.secrets.gossip_key, var.secrets.token_secret, var.tls.secret_arn])
}

resource "aws_iam_role_policy" "edge" {
  name_prefix = "node-"
  role        = aws_iam_role.edge.name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Effect   = "Allow"
          Action   = "secretsmanager:GetSecretValue"
          Resource = local.secrets
        },
        {
          Effect   = "Allow"
          Action   = "autoscaling:CompleteLifecycleAction"
          Resource = "${local.arn}:autoscaling:${var.region}:${local.account}:autoScalingGroup:*:autoScalingGroupName/${local.group}"
        },
        {
          Effect    = "Allow"
          Action    = "cloudwatch:PutMetricData"
          Resource  = "*"
          Condition = { StringEquals = { "cloudwatch:namespace" = "Selvedge" } }
        },
      ],
      # Names of machines only: an edge can't take the name of another region, or of a core.
      [for zone in(local.per_edge ? [var.zone_id] : []) : {
        Effect   = "Allow"
        Action   = "route53:ChangeResourceRecordSets"
        Resource = "${local.arn}:route53:::hostedzone/${zone}"
        Condition = {
          "ForAllValues:StringLike"   = { "route53:ChangeResourceRecordSetsNormalizedRecordNames" = ["i-*.${var.domain}"] }
          "ForAllValues:StringEquals" = { "route53:ChangeResourceRecordSetsRecordTypes" = ["A"] }
        }
      }],
      [for key in var.secrets.kms_keys : { Effect = "Allow", Action = "kms:Decrypt", Resource = key }],
    )
  })
}
