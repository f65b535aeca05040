# The least that is a cluster: one region, one core, two edges. A core that fails is replaced on
# the same volume; publishes fail meanwhile.
provider "aws" {
  region = var.region
}

module "network" {
  source  = "../../modules/aws/network"
  name    = var.name
  regions = { (var.region) = { cidr = "10.1.0.0/16", zones = 2 } }
}

locals {
  network = module.network.networks[var.region]
  zone    = sort(keys(local.network.subnets))[0]
}

module "core" {
  source     = "../../modules/aws/core"
  name       = var.name
  region     = var.region
  vpc_id     = local.network.vpc_id
  subnets    = { (local.zone) = local.network.subnets[local.zone] }
  peer_cidrs = module.network.peer_cidrs
  api_cidrs  = [local.network.cidr]
  domain     = var.domain
  zone_id    = var.zone_id
  binary     = var.binary
  secrets = {
    nodes      = { (local.zone) = var.secrets.cores[0] }
    ca         = var.secrets.ca
    gossip_key = var.secrets.gossip_key
    api_keys   = var.secrets.api_keys
  }
}

module "edge" {
  source     = "../../modules/aws/edge"
  name       = var.name
  region     = var.region
  vpc_id     = local.network.vpc_id
  subnet_ids = local.network.subnet_ids
  peer_cidrs = module.network.peer_cidrs
  seeds      = module.core.seeds
  domain     = var.domain
  zone_id    = var.zone_id
  binary     = var.binary
  tls        = { certificate_arn = var.certificate_arn }
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
  balancers        = { (var.region) = module.edge.balancer }
  token_secret_arn = var.secrets.token
}
