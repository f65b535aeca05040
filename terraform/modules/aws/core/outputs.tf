output "seeds" {
  description = "Gossip addresses of the cores, for join of edges."
  value       = local.seeds
}

output "publish_url" {
  description = "The API for backends, from networks in api_cidrs."
  value       = "${var.api_certificate_arn == null ? "http" : "https"}://api.${var.domain}"
  depends_on  = [aws_route53_record.api, aws_lb_listener.api]
}

output "api_keys_arn" {
  description = "ARN of the secret with the API keys."
  value       = var.secrets.api_keys
}

output "group" {
  description = "Name of the group of the machines."
  value       = aws_autoscaling_group.core.name
}

output "volume_ids" {
  description = "The logs' volumes by zone: what to take snapshots of."
  value       = { for zone, v in aws_ebs_volume.data : zone => v.id }
}

output "security_group_id" {
  description = "The cores' security group."
  value       = aws_security_group.core.id
}
