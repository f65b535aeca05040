# Into a network that is there already: three cores and edges in its public subnets, and backends
# from wherever you say. Nothing of the network is changed.
provider "aws" {
  region = var.region
}

data "aws_vpc" "this" {
  id = var.vpc_id
}

locals {
  zones = sort(keys(var.subnets))
}

module "core" {
  source     = "../../modules/aws/core"
  name       = var.name
  region     = var.region
  vpc_id     = var.vpc_id
  subnets    = var.subnets
  peer_cidrs = var.connectivity == "public" ? ["0.0.0.0/0"] : [data.aws_vpc.this.cidr_block]
  api_cidrs  = length(var.api_cidrs) > 0 ? var.api_cidrs : [data.aws_vpc.this.cidr_block]
  domain     = var.domain
  zone_id    = var.zone_id
  binary     = var.binary
  # By private addresses, unless there are edges elsewhere that are not peered.
  connectivity = var.connectivity
  secrets = {
    nodes      = { for i, zone in local.zones : zone => var.secrets.cores[i] }
    ca         = var.secrets.ca
    gossip_key = var.secrets.gossip_key
    api_keys   = var.secrets.api_keys
  }
}

module "edge" {
  source       = "../../modules/aws/edge"
  name         = var.name
  region       = var.region
  vpc_id       = var.vpc_id
  subnet_ids   = values(var.subnets)
  connectivity = var.connectivity
  peer_cidrs   = var.connectivity == "public" ? ["0.0.0.0/0"] : [data.aws_vpc.this.cidr_block]
  seeds        = module.core.seeds
  domain       = var.domain
  zone_id      = var.zone_id
  binary       = var.binary
  tls          = { certificate_arn = var.certificate_arn }
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
