# One map for each role: a null is left out of the file, so that the binary's default holds.
locals {
  both = {
    name           = var.name == "" ? null : var.name
    region         = var.region
    cluster        = var.cluster == "" ? null : var.cluster
    join           = length(var.join) == 0 ? null : var.join
    advertise_host = var.advertise_host == "" ? null : var.advertise_host
    link_addr      = var.listen.link
    gossip_addr    = var.listen.gossip
    admin_addr     = var.listen.admin
    cert           = var.files.cert
    key            = var.files.key
    ca             = var.files.ca
    gossip_key     = var.files.gossip_key
    log_format     = var.log_format
  }

  core = {
    api_addr     = coalesce(var.listen.api, ":7400")
    log_addr     = var.listen.log
    data         = var.core.data
    replicas     = var.core.replicas
    sync         = var.core.sync
    keep_age     = var.core.keep_age
    keep_bytes   = var.core.keep_bytes
    dedup_window = var.core.dedup_window
    drain        = "${var.core.drain_seconds}s"
    api_keys     = var.files.api_keys
  }

  edge = {
    public_addr         = var.listen.public
    advertise_url       = var.edge.advertise_url == "" ? null : var.edge.advertise_url
    regional_url        = var.edge.regional_url == "" ? null : var.edge.regional_url
    allowed_origins     = length(var.edge.allowed_origins) == 0 ? null : var.edge.allowed_origins
    trust_geo_headers   = var.edge.trust_geo_headers
    proxy_protocol      = length(var.edge.proxy_protocol_from) > 0
    proxy_protocol_from = length(var.edge.proxy_protocol_from) == 0 ? null : var.edge.proxy_protocol_from
    tls_cert            = var.edge.tls ? var.files.tls_cert : null
    tls_key             = var.edge.tls ? var.files.tls_key : null
    max_sockets         = var.edge.max_sockets
    cache_bytes         = var.edge.cache_bytes
    drain               = "${var.edge.drain_seconds}s"
    drain_rate          = var.edge.drain_rate
    ping                = "${var.edge.ping_seconds}s"
    token_secret_file   = var.edge.token_jwks_url == "" ? [var.files.token_secret] : null
    token_jwks_url      = var.edge.token_jwks_url == "" ? null : var.edge.token_jwks_url
    token_audience      = var.edge.token_audience == "" ? null : var.edge.token_audience
    token_issuer        = var.edge.token_issuer == "" ? null : var.edge.token_issuer
  }

  # By for and not by a conditional: the two sides of one must have one type.
  own      = { for role, settings in { core = local.core, edge = local.edge } : role => settings if role == var.role }[var.role]
  settings = { for key, value in merge(local.both, local.own, var.settings) : key => value if value != null }
  config   = yamlencode({ (var.role) = local.settings })

  # An edge asks drain_rate clients a second to go, also if the window is over then.
  sockets       = var.edge.max_sockets > 0 ? var.edge.max_sockets : floor(var.max_open_files * 0.9) - 512
  drain_seconds = var.role == "core" ? var.core.drain_seconds : max(var.edge.drain_seconds, ceil(local.sockets / var.edge.drain_rate))
  stop_seconds  = local.drain_seconds + 15
}
