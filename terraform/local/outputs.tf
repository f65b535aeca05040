output "core_url" {
  description = "The core's API."
  value       = local.core_url
}

output "edge_urls" {
  description = "The edges' public URLs, by their names."
  value       = local.edge_urls
}

output "admin_urls" {
  description = "The nodes' admin ports: metrics, health, and the console at the core's."
  value = merge(
    { core = "http://127.0.0.1:${var.core_port + 3}" },
    { for name, e in local.edges : name => "http://127.0.0.1:${e.port + 3}" },
  )
}

output "keys" {
  description = "Folder of the keys: api.keys for backends, token.secret for client tokens."
  value       = local.keys
}

output "listen" {
  description = "A line that listens as the user ann, at an edge."
  value       = length(local.edges) == 0 ? "" : "${local.binary} listen --token \"$(${local.binary} token --secret-file ${local.keys}/token.secret --user ann --subscribe 'topic:*')\" --edge ${values(local.edge_urls)[0]} topic:news"
}

output "publish" {
  description = "A line that publishes what it hears."
  value       = "SELVEDGE_PUBLISH_KEY=$(cut -d: -f2 ${local.keys}/api.keys) ${local.binary} publish --core ${local.core_url} topic:news '{\"text\":\"hi\"}'"
}
