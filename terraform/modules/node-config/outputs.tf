output "config" {
  description = "The config file, YAML, as 'selvedge config check' takes it. It names files and holds no secret."
  value       = local.config
}

output "cloud_init" {
  description = "User data for a machine with cloud-init and systemd."
  value       = local.cloud_init
}

output "unit" {
  description = "The systemd unit in it."
  value       = local.unit
}

output "stop_seconds" {
  description = "How long the node may take to stop: the drain, and 15 s to close. Whoever ends its machine has to wait longer."
  value       = local.stop_seconds
}
