output "networks" {
  description = "By region: vpc_id, cidr, subnet_ids, and subnets (the subnet of each zone), as the modules core and edge take them."
  value = { for region, r in var.regions : region => {
    vpc_id     = aws_vpc.this[region].id
    cidr       = r.cidr
    subnet_ids = [for key, s in local.subnets : aws_subnet.this[key].id if s.region == region]
    subnets    = { for key, s in local.subnets : s.zone => aws_subnet.this[key].id if s.region == region }
  } }
}

output "peer_cidrs" {
  description = "Where other nodes come from: everywhere with connectivity public, as a group's addresses are not known before; else the networks of all regions."
  value       = var.connectivity == "public" ? ["0.0.0.0/0"] : sort([for r in var.regions : r.cidr])
}

output "connectivity" {
  description = "As it was given, for the modules core and edge."
  value       = var.connectivity
}
