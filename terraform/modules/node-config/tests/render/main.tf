# Every form of node that the module renders, for the real binary's 'config check'.
terraform {
  required_version = ">= 1.9"
}

module "core" {
  source = "../.."
  role   = "core"
  region = "eu-west-1"
}

module "replicated" {
  source         = "../.."
  role           = "core"
  region         = "home=52.52,13.40"
  name           = "core-a"
  cluster        = "green"
  join           = ["core-b.example.com:7402", "10.0.0.3:7402"]
  advertise_host = "10.0.0.1"
  listen         = { api = ":17400", link = ":17401", gossip = ":17402", admin = "127.0.0.1:17403", log = ":17404" }
  core = {
    data = "/data", replicas = 3, sync = "always", keep_age = "24h", keep_bytes = 1073741824, dedup_window = "10m", drain_seconds = 0
  }
  log_format = "text"
}

module "edge" {
  source = "../.."
  role   = "edge"
  region = "us-east-1"
  join   = ["core-a.example.com:7402"]
}

module "full" {
  source = "../.."
  role   = "edge"
  region = "ap-southeast-1"
  join   = ["core-a.example.com:7402"]
  listen = { public = ":443", link = ":7411", gossip = ":7412", admin = "127.0.0.1:7413" }
  edge = {
    advertise_url       = "https://i-0.ap.example.com"
    allowed_origins     = ["https://app.example.com", "*"]
    trust_geo_headers   = true
    proxy_protocol_from = ["10.0.0.0/8"]
    tls                 = true
    max_sockets         = 100000
    cache_bytes         = 1073741824
    drain_seconds       = 60
    drain_rate          = 500
    ping_seconds        = 20
    token_jwks_url      = "https://auth.example.com/jwks.json"
    token_audience      = "chat"
    token_issuer        = "https://auth.example.com"
  }
  settings = { accept_rate = 100, gossip_probe_interval = "1s", compression = false }
}

output "configs" {
  value = {
    core       = module.core.config
    replicated = module.replicated.config
    edge       = module.edge.config
    full       = module.full.config
  }
}

output "cloud_inits" {
  value = {
    core       = module.core.cloud_init
    replicated = module.replicated.cloud_init
    edge       = module.edge.cloud_init
    full       = module.full.cloud_init
  }
}
