# A network in each region: public subnets, one for each zone, without address translation. Nodes
# have public addresses to reach AWS by; what reaches them is for their security groups to say.
data "aws_availability_zones" "this" {
  for_each = var.regions
  region   = each.key
  state    = "available"
  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

locals {
  subnets = merge([for region, r in var.regions : {
    for n in range(r.zones) : "${region}/${n}" => {
      region = region
      zone   = data.aws_availability_zones.this[region].names[n]
      cidr   = cidrsubnet(r.cidr, 4, n)
    }
  }]...)

  # Every two regions, by their names in order.
  names = sort(keys(var.regions))
  pairs = var.connectivity != "peered" ? {} : merge([for i, a in local.names : {
    for b in slice(local.names, i + 1, length(local.names)) : "${a}/${b}" => { from = a, to = b }
  }]...)

  # A way in each direction.
  ways = merge(
    { for key, p in local.pairs : "${p.from}>${p.to}" => { region = p.from, cidr = var.regions[p.to].cidr, pair = key } },
    { for key, p in local.pairs : "${p.to}>${p.from}" => { region = p.to, cidr = var.regions[p.from].cidr, pair = key } },
  )
}

resource "aws_vpc" "this" {
  for_each             = var.regions
  region               = each.key
  cidr_block           = each.value.cidr
  enable_dns_support   = true
  enable_dns_hostnames = true
  tags                 = merge(var.tags, { Name = var.name })
}

resource "aws_internet_gateway" "this" {
  for_each = var.regions
  region   = each.key
  vpc_id   = aws_vpc.this[each.key].id
  tags     = merge(var.tags, { Name = var.name })
}

resource "aws_subnet" "this" {
  for_each                = local.subnets
  region                  = each.value.region
  vpc_id                  = aws_vpc.this[each.value.region].id
  availability_zone       = each.value.zone
  cidr_block              = each.value.cidr
  map_public_ip_on_launch = true
  tags                    = merge(var.tags, { Name = "${var.name}-${each.value.zone}" })
}

resource "aws_route_table" "this" {
  for_each = var.regions
  region   = each.key
  vpc_id   = aws_vpc.this[each.key].id
  tags     = merge(var.tags, { Name = var.name })
}

resource "aws_route" "internet" {
  for_each               = var.regions
  region                 = each.key
  route_table_id         = aws_route_table.this[each.key].id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this[each.key].id
}

resource "aws_route_table_association" "this" {
  for_each       = local.subnets
  region         = each.value.region
  subnet_id      = aws_subnet.this[each.key].id
  route_table_id = aws_route_table.this[each.value.region].id
}

resource "aws_vpc_peering_connection" "this" {
  for_each    = local.pairs
  region      = each.value.from
  vpc_id      = aws_vpc.this[each.value.from].id
  peer_vpc_id = aws_vpc.this[each.value.to].id
  peer_region = each.value.to
  tags        = merge(var.tags, { Name = "${var.name}-${each.value.from}-${each.value.to}" })
}

resource "aws_vpc_peering_connection_accepter" "this" {
  for_each                  = local.pairs
  region                    = each.value.to
  vpc_peering_connection_id = aws_vpc_peering_connection.this[each.key].id
  auto_accept               = true
  tags                      = merge(var.tags, { Name = "${var.name}-${each.value.from}-${each.value.to}" })
}

resource "aws_route" "peer" {
  for_each                  = local.ways
  region                    = each.value.region
  route_table_id            = aws_route_table.this[each.value.region].id
  destination_cidr_block    = each.value.cidr
  vpc_peering_connection_id = aws_vpc_peering_connection_accepter.this[each.value.pair].id
}
