output "client_url" {
  description = "What clients connect to."
  value       = module.routing.client_url
}

output "publish_url" {
  description = "The API for backends, from within the network."
  value       = module.core.publish_url
}

output "api_keys_arn" {
  description = "The secret with the API keys."
  value       = module.core.api_keys_arn
}

output "token_secret_arn" {
  description = "The secret that client tokens are signed with."
  value       = module.edge.token_secret_arn
}

output "listen" {
  description = "A line that listens as a client."
  value       = module.routing.listen
}
