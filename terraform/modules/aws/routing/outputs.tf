output "client_url" {
  description = "What clients connect to."
  value       = "https://${var.domain}"
  depends_on  = [aws_route53_record.nearest, aws_route53_record.accelerated]
}

output "listen" {
  description = "A line that listens as the user ann."
  value = join(" ", [
    "selvedge listen --edge https://${var.domain} --token",
    var.token_secret_arn == null ? "\"$TOKEN\"" : "\"$(selvedge token --user ann --secret-file <(aws secretsmanager get-secret-value --region ${split(":", var.token_secret_arn)[3]} --secret-id ${var.token_secret_arn} --query SecretString --output text))\"",
  ])
}
