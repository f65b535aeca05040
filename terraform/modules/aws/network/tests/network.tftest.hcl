mock_provider "aws" {
  mock_data "aws_availability_zones" {
    defaults = { names = ["zone-a", "zone-b", "zone-c"] }
  }
}

variables {
  name = "chat"
  regions = {
    us-east-1      = { cidr = "10.1.0.0/16" }
    eu-west-1      = { cidr = "10.2.0.0/16" }
    ap-southeast-1 = { cidr = "10.3.0.0/16", zones = 2 }
  }
}

run "public_networks_have_no_peerings" {
  command = plan
  assert {
    condition     = length(aws_vpc.this) == 3 && length(aws_subnet.this) == 8
    error_message = "three networks with 3 + 3 + 2 subnets expected"
  }
  assert {
    condition     = length(aws_vpc_peering_connection.this) == 0 && output.peer_cidrs == tolist(["0.0.0.0/0"])
    error_message = "nothing is peered, and a group's public addresses are not known before"
  }
  assert {
    condition     = alltrue([for key, s in aws_subnet.this : s.region == split("/", key)[0]])
    error_message = "a subnet is in another region than its network"
  }
}

run "peered_networks_reach_each_other" {
  command = apply
  variables {
    connectivity = "peered"
  }
  assert {
    condition     = length(aws_vpc_peering_connection.this) == 3 && length(aws_route.peer) == 6
    error_message = "every two of three networks are three peerings, with a way in each direction"
  }
  assert {
    condition     = alltrue([for key, p in aws_vpc_peering_connection.this : p.region != p.peer_region && aws_vpc_peering_connection_accepter.this[key].region == p.peer_region])
    error_message = "a peering is accepted in the region of the other network"
  }
  assert {
    condition     = alltrue([for key, r in aws_route.peer : r.destination_cidr_block == var.regions[split(">", key)[1]].cidr && r.region == split(">", key)[0]])
    error_message = "a way leads elsewhere"
  }
  assert {
    condition     = !contains(output.peer_cidrs, "0.0.0.0/0")
    error_message = "peered nodes take nothing from the internet"
  }
  assert {
    condition     = length(output.networks["eu-west-1"].subnet_ids) == 3 && length(output.networks["ap-southeast-1"].subnets) == 2
    error_message = "a network is told with another's subnets"
  }
}

run "rejects_the_same_network_twice" {
  command = plan
  variables {
    regions = { us-east-1 = { cidr = "10.1.0.0/16" }, eu-west-1 = { cidr = "10.1.0.0/16" } }
  }
  expect_failures = [var.regions]
}

run "rejects_an_unknown_connectivity" {
  command = plan
  variables {
    connectivity = "vpn"
  }
  expect_failures = [var.connectivity]
}
