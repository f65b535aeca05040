# A core and edges of several regions as processes on loopback, with keys of their own: the same
# config files as on a cloud's machines, from the same module.
locals {
  binary  = abspath(var.binary)
  run_dir = abspath(var.run_dir)
  keys    = "${local.run_dir}/keys"

  edges = merge([for region, r in var.regions : {
    for n in range(r.edges) : "${region}-${n + 1}" => { region = region, port = r.port + 10 * n }
  }]...)

  core_url    = "http://127.0.0.1:${var.core_port}"
  edge_urls   = { for name, e in local.edges : name => "http://127.0.0.1:${e.port}" }
  core_gossip = "127.0.0.1:${var.core_port + 2}"
}

resource "terraform_data" "keys" {
  input = { binary = local.binary, dir = local.run_dir }

  provisioner "local-exec" {
    interpreter = ["/bin/bash"]
    command     = "${path.module}/node/keys.sh"
    environment = { BINARY = self.input.binary, DIR = self.input.dir }
  }

  provisioner "local-exec" {
    when        = destroy
    interpreter = ["/bin/bash"]
    command     = "${path.module}/node/clear.sh"
    environment = { DIR = self.output.dir }
  }
}

module "core_config" {
  source         = "../modules/node-config"
  role           = "core"
  region         = "us-east"
  cluster        = "local"
  advertise_host = "127.0.0.1"
  log_format     = "text"
  core           = { data = "${local.run_dir}/core-data" }
  listen = {
    api    = "127.0.0.1:${var.core_port}"
    link   = "127.0.0.1:${var.core_port + 1}"
    gossip = "127.0.0.1:${var.core_port + 2}"
    admin  = "127.0.0.1:${var.core_port + 3}"
  }
  files = {
    cert       = "${local.keys}/core-core.pem"
    key        = "${local.keys}/core-core-key.pem"
    ca         = "${local.keys}/ca.pem"
    gossip_key = "${local.keys}/gossip.key"
    api_keys   = "${local.keys}/api.keys"
  }
}

module "core" {
  source       = "./node"
  name         = "core"
  role         = "core"
  binary       = local.binary
  run_dir      = terraform_data.keys.output.dir
  config       = module.core_config.config
  admin_port   = var.core_port + 3
  stop_seconds = module.core_config.stop_seconds
}

module "edge_config" {
  source         = "../modules/node-config"
  for_each       = local.edges
  role           = "edge"
  region         = each.value.region
  cluster        = "local"
  join           = [local.core_gossip]
  advertise_host = "127.0.0.1"
  log_format     = "text"
  max_open_files = 4096
  edge = {
    advertise_url   = local.edge_urls[each.key]
    allowed_origins = ["*"]
    drain_seconds   = var.drain_seconds
    max_sockets     = 1000
  }
  listen = {
    public = "127.0.0.1:${each.value.port}"
    link   = "127.0.0.1:${each.value.port + 1}"
    gossip = "127.0.0.1:${each.value.port + 2}"
    admin  = "127.0.0.1:${each.value.port + 3}"
  }
  files = {
    cert         = "${local.keys}/edge-${each.key}.pem"
    key          = "${local.keys}/edge-${each.key}-key.pem"
    ca           = "${local.keys}/ca.pem"
    gossip_key   = "${local.keys}/gossip.key"
    token_secret = "${local.keys}/token.secret"
  }
}

module "edge" {
  source       = "./node"
  for_each     = local.edges
  depends_on   = [module.core]
  name         = each.key
  role         = "edge"
  binary       = local.binary
  run_dir      = terraform_data.keys.output.dir
  config       = module.edge_config[each.key].config
  admin_port   = each.value.port + 3
  stop_seconds = module.edge_config[each.key].stop_seconds
}

# terraform_data has no drift: what runs is asked for, and what does not is said at each plan.
check "alive" {
  assert {
    condition     = length(local.dead) == 0
    error_message = "Not running: ${join(", ", local.dead)}. Start again with -replace='module.edge[\"NAME\"].terraform_data.process', or module.core."
  }
}

locals {
  pids = { for name in concat(["core"], keys(local.edges)) : name => "${local.run_dir}/${name}.pid" }
  # One that was never started is not dead. Where there is no /proc, nobody is known to be.
  dead = fileexists("/proc/self/stat") ? [
    for name, file in local.pids : name
    if fileexists(file) && !try(!strcontains(file("/proc/${trimspace(file(file))}/stat"), ") Z "), false)
  ] : []
}
