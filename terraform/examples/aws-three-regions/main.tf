# The world in one plan: three cores with replicated logs in one region, edges in three. One
# provider is enough: each resource names its region.
provider "aws" {
  region = local.home
}

locals {
  home = "us-east-1"
  regions = {
    us-east-1      = { cidr = "10.1.0.0/16" }
    eu-west-1      = { cidr = "10.2.0.0/16" }
    ap-southeast-1 = { cidr = "10.3.0.0/16" }
  }
  networks = module.network.networks
  zones    = sort(keys(local.networks[local.home].subnets))
}

module "network" {
  source       = "../../modules/aws/network"
  name         = var.name
  regions      = local.regions
  connectivity = var.connectivity
}

module "core" {
  source       = "../../modules/aws/core"
  name         = var.name
  region       = local.home
  vpc_id       = local.networks[local.home].vpc_id
  subnets      = local.networks[local.home].subnets
  connectivity = var.connectivity
  peer_cidrs   = module.network.peer_cidrs
  api_cidrs    = [local.networks[local.home].cidr]
  domain       = var.domain
  zone_id      = var.zone_id
  binary       = var.binary
  alarms       = var.alarms
  secrets = {
    nodes      = { for i, zone in local.zones : zone => var.secrets.cores[i] }
    ca         = var.secrets.ca
    gossip_key = var.secrets.gossip_key
    api_keys   = var.secrets.api_keys
  }
}

module "edge" {
  source       = "../../modules/aws/edge"
  for_each     = local.regions
  name         = var.name
  region       = each.key
  vpc_id       = local.networks[each.key].vpc_id
  subnet_ids   = local.networks[each.key].subnet_ids
  connectivity = var.connectivity
  peer_cidrs   = module.network.peer_cidrs
  seeds        = module.core.seeds
  domain       = var.domain
  zone_id      = var.zone_id
  binary       = var.binary
  addressing   = var.addressing
  tls          = { secret_arn = var.tls_secret_arn }
  alarms       = var.alarms
  dashboard    = true
  secrets = {
    ca           = var.secrets.ca
    ca_key       = var.secrets.ca_key
    gossip_key   = var.secrets.gossip_key
    token_secret = var.secrets.token
  }
}

module "routing" {
  source           = "../../modules/aws/routing"
  name             = var.name
  domain           = var.domain
  zone_id          = var.zone_id
  balancers        = { for region, edge in module.edge : region => edge.balancer }
  accelerator      = var.accelerator
  token_secret_arn = var.secrets.token
}
