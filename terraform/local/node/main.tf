# One process of the binary: started and waited for, drained and waited for.
terraform {
  required_version = ">= 1.9"
}

variable "name" {
  description = "The node's name, in its certificate."
  type        = string
}

variable "role" {
  description = "core or edge."
  type        = string
}

variable "binary" {
  description = "Absolute path of the binary."
  type        = string
}

variable "run_dir" {
  description = "Absolute path of the folder with keys, where config, log and pid go."
  type        = string
}

variable "config" {
  description = "The config file. When it changes, the process is replaced."
  type        = string
}

variable "admin_port" {
  description = "Port of /readyz."
  type        = number
}

variable "stop_seconds" {
  description = "How long it may take to stop, before it is killed and destroy fails."
  type        = number
}

# A destroy provisioner may only look at self: whatever it needs is in input.
resource "terraform_data" "process" {
  input = {
    name   = var.name
    role   = var.role
    binary = var.binary
    dir    = var.run_dir
    config = var.config
    port   = tostring(var.admin_port)
    stop   = tostring(var.stop_seconds)
  }
  triggers_replace = [var.config, var.binary, var.run_dir]

  provisioner "local-exec" {
    interpreter = ["/bin/bash"]
    command     = "${path.module}/start.sh"
    environment = {
      NAME   = self.input.name
      ROLE   = self.input.role
      BINARY = self.input.binary
      DIR    = self.input.dir
      CONFIG = self.input.config
      PORT   = self.input.port
    }
  }

  provisioner "local-exec" {
    when        = destroy
    interpreter = ["/bin/bash"]
    command     = "${path.module}/stop.sh"
    environment = {
      NAME = self.output.name
      DIR  = self.output.dir
      STOP = self.output.stop
    }
  }
}

output "id" {
  description = "Another one for each start."
  value       = terraform_data.process.id
}
