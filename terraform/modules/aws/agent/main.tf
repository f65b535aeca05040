# The agent of a machine on AWS, as files and units for node-config. It makes no resources.
terraform {
  required_version = ">= 1.9"
}

variable "settings" {
  description = "The agent's settings, as agent.sh names them. Values are names and ARNs, never secrets."
  type        = map(string)
  validation {
    condition     = alltrue([for v in values(var.settings) : !strcontains(v, "'") && !strcontains(v, "\n")])
    error_message = "settings: a value has a quote or a line break."
  }
}

locals {
  path = "/usr/local/lib/selvedge/agent"
}

output "files" {
  description = "For extra_files of node-config: the agent and its settings."
  value = [
    { path = local.path, permissions = "0755", content = file("${path.module}/agent.sh") },
    { path = "/etc/selvedge/agent.env", permissions = "0644", content = join("", [for key, v in var.settings : "${key}='${v}'\n"]) },
  ]
}

output "prepare" {
  description = "For prepare of node-config."
  value       = "${local.path} prepare"
}

output "units" {
  description = "For units of node-config: what drains the machine, and what publishes its metrics each minute."
  value = {
    "selvedge-watch.service"   = <<-EOT
      [Unit]
      Description=Selvedge: tells the group of this machine, and drains it
      [Service]
      ExecStart=${local.path} watch
      Restart=on-failure
      RestartSec=5
      [Install]
      WantedBy=multi-user.target
    EOT
    "selvedge-metrics.service" = <<-EOT
      [Unit]
      Description=Selvedge: metrics to CloudWatch
      [Service]
      Type=oneshot
      ExecStart=${local.path} metrics
    EOT
    "selvedge-metrics.timer"   = <<-EOT
      [Unit]
      Description=Selvedge: metrics to CloudWatch, each minute
      [Timer]
      OnActiveSec=60
      OnUnitActiveSec=60
      AccuracySec=1
      [Install]
      WantedBy=timers.target
    EOT
  }
}

output "denied_addresses" {
  description = "For denied_addresses of node-config: the metadata service is the agent's, not the node's."
  value       = ["169.254.169.254/32", "fd00:ec2::254/128"]
}
