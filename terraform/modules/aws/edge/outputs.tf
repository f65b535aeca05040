output "balancer" {
  description = "The load balancer: dns_name, zone_id and arn, as the module routing takes it."
  value       = { dns_name = aws_lb.edge.dns_name, zone_id = aws_lb.edge.zone_id, arn = aws_lb.edge.arn }
  depends_on  = [aws_lb_listener.edge]
}

output "url" {
  description = "This region's own URL."
  value       = "https://${local.host}"
  depends_on  = [aws_route53_record.region]
}

output "group" {
  description = "Name of the group of the machines."
  value       = aws_autoscaling_group.edge.name
}

output "token_secret_arn" {
  description = "ARN of the secret that client tokens are signed with; null with a key set."
  value       = var.secrets.token_secret
}

output "security_group_id" {
  description = "The edges' security group."
  value       = aws_security_group.edge.id
}
