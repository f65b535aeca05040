# Who reaches a core, and what a core may do.
resource "aws_security_group" "core" {
  region      = var.region
  name_prefix = "${local.group}-"
  description = "Selvedge: the cores"
  vpc_id      = var.vpc_id
  tags        = local.tags
  lifecycle {
    create_before_destroy = true
  }
}

locals {
  # Between nodes everything is sealed: links and the cores' logs by mutual TLS, gossip by AES-256.
  node_ports = merge(
    {
      link       = { protocol = "udp", port = 7401 }
      gossip-tcp = { protocol = "tcp", port = 7402 }
      gossip-udp = { protocol = "udp", port = 7402 }
    },
    length(var.subnets) == 1 ? {} : { log = { protocol = "tcp", port = 7404 } },
  )
  node_rules = merge([for cidr in distinct(var.peer_cidrs) : {
    for name, p in local.node_ports : "${name} ${cidr}" => merge(p, { cidr = cidr })
  }]...)
}

resource "aws_vpc_security_group_ingress_rule" "nodes" {
  for_each          = local.node_rules
  region            = var.region
  security_group_id = aws_security_group.core.id
  description       = each.key
  cidr_ipv4         = each.value.cidr
  ip_protocol       = each.value.protocol
  from_port         = each.value.port
  to_port           = each.value.port
}

resource "aws_vpc_security_group_ingress_rule" "from_api" {
  region                       = var.region
  security_group_id            = aws_security_group.core.id
  description                  = "the API's load balancer"
  referenced_security_group_id = aws_security_group.api.id
  ip_protocol                  = "tcp"
  from_port                    = 7400
  to_port                      = 7400
}

resource "aws_vpc_security_group_egress_rule" "core" {
  region            = var.region
  security_group_id = aws_security_group.core.id
  description       = "other nodes, and AWS"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "-1"
}

resource "aws_iam_role" "core" {
  name_prefix = "${local.group}-"
  tags        = local.tags
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ec2.amazonaws.com" } }]
  })
}

resource "aws_iam_instance_profile" "core" {
  name_prefix = "${local.group}-"
  role        = aws_iam_role.core.name
  tags        = local.tags
}

locals {
  arn     = "arn:${data.aws_partition.this.partition}"
  account = data.aws_caller_identity.this.account_id
}

resource "aws_iam_role_policy" "core" {
  name_prefix = "node-"
  role        = aws_iam_role.core.name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Effect   = "Allow"
          Action   = "secretsmanager:GetSecretValue"
          Resource = concat(values(var.secrets.nodes), [var.secrets.ca, var.secrets.gossip_key, var.secrets.api_keys])
        },
        {
          Effect   = "Allow"
          Action   = ["ec2:AttachVolume", "ec2:DetachVolume"]
          Resource = [for v in aws_ebs_volume.data : v.arn]
        },
        {
          Effect    = "Allow"
          Action    = ["ec2:AttachVolume", "ec2:DetachVolume"]
          Resource  = "${local.arn}:ec2:${var.region}:${local.account}:instance/*"
          Condition = { StringEquals = { "aws:ResourceTag/selvedge:group" = local.group } }
        },
        {
          Effect   = "Allow"
          Action   = "autoscaling:CompleteLifecycleAction"
          Resource = "${local.arn}:autoscaling:${var.region}:${local.account}:autoScalingGroup:*:autoScalingGroupName/${local.group}"
        },
        {
          Effect   = "Allow"
          Action   = "route53:ChangeResourceRecordSets"
          Resource = "${local.arn}:route53:::hostedzone/${var.zone_id}"
          Condition = { "ForAllValues:StringEquals" = {
            "route53:ChangeResourceRecordSetsNormalizedRecordNames" = values(local.hosts)
            "route53:ChangeResourceRecordSetsRecordTypes"           = ["A"]
            "route53:ChangeResourceRecordSetsActions"               = ["UPSERT"]
          } }
        },
        {
          Effect    = "Allow"
          Action    = "cloudwatch:PutMetricData"
          Resource  = "*"
          Condition = { StringEquals = { "cloudwatch:namespace" = "Selvedge" } }
        },
      ],
      [for key in var.secrets.kms_keys : { Effect = "Allow", Action = "kms:Decrypt", Resource = key }],
    )
  })
}
