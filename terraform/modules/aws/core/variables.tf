variable "name" {
  description = "The cluster's name: begins the names of what is made, and keeps nodes of other clusters out. Up to 16 lower case letters, digits and hyphens."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,15}$", var.name))
    error_message = "name is ${var.name}: use up to 16 lower case letters, digits and hyphens, a letter first."
  }
}

variable "region" {
  description = "The AWS region of the cores."
  type        = string
}

variable "vpc_id" {
  description = "The network."
  type        = string
}

variable "subnets" {
  description = "The subnet of each zone with a core: one, or three for replicated logs. The number is fixed for the cluster's life."
  type        = map(string)
  validation {
    condition     = contains([1, 3], length(var.subnets))
    error_message = "subnets: ${length(var.subnets)} zones are given: use one, or three for replicated logs."
  }
}

variable "connectivity" {
  description = "How other nodes reach the cores: public or peered; as of the module network."
  type        = string
  default     = "public"
  validation {
    condition     = contains(["public", "peered"], var.connectivity)
    error_message = "connectivity is ${var.connectivity}: use public or peered."
  }
}

variable "peer_cidrs" {
  description = "Networks that other nodes come from, to the ports of links and gossip, those of the same region among them."
  type        = list(string)
  validation {
    condition     = var.connectivity == "public" || !contains(var.peer_cidrs, "0.0.0.0/0")
    error_message = "peer_cidrs has 0.0.0.0/0, and connectivity is peered: name the private networks."
  }
}

variable "api_cidrs" {
  description = "Networks that backends come from, to the API."
  type        = list(string)
}

variable "domain" {
  description = "The domain of the clients' URL, such as rt.example.com. The cores are core-a and so on below it, and the API is api."
  type        = string
}

variable "zone_id" {
  description = "The Route 53 zone that domain is in."
  type        = string
}

variable "secrets" {
  description = "ARNs of secrets: nodes, by zone, each with a core's certificate and then its key (the names are core-a, core-b, core-c in the order of the zones' names); the CA's certificate; the gossip key; the API keys. kms_keys are those that they are encrypted with, if not the account's own."
  type = object({
    nodes      = map(string)
    ca         = string
    gossip_key = string
    api_keys   = string
    kms_keys   = optional(list(string), [])
  })
  validation {
    condition     = alltrue([for zone in keys(var.subnets) : contains(keys(var.secrets.nodes), zone)])
    error_message = "secrets.nodes lacks a zone of subnets: ${join(", ", setsubtract(keys(var.subnets), keys(var.secrets.nodes)))}."
  }
  validation {
    condition     = alltrue([for arn in concat(values(var.secrets.nodes), [var.secrets.ca, var.secrets.gossip_key, var.secrets.api_keys]) : startswith(arn, "arn:")])
    error_message = "secrets are ARNs, never values."
  }
}

variable "image_id" {
  description = "The machines' image, with cloud-init, systemd and the AWS command line. Null: the newest Amazon Linux 2023 of the architecture, looked up at each plan, so that a new one is rolled out by the next apply."
  type        = string
  default     = null
}

variable "architecture" {
  description = "Of the image that is looked up: arm64 or x86_64."
  type        = string
  default     = "arm64"
}

variable "binary" {
  description = "URL and SHA-256 of the binary; null: the image has it. See node-config."
  type        = object({ url = string, sha256 = string })
  default     = null
}

variable "instance_type" {
  description = "The machines' type."
  type        = string
  default     = "c7g.large"
}

variable "disk" {
  description = "The volume of each core: GiB, and what it does a second beyond gp3's own. Four fifths are for the logs, the oldest frames go beyond that."
  type        = object({ size = optional(number, 100), iops = optional(number, 3000), throughput = optional(number, 125) })
  default     = {}
}

variable "kms_key_arn" {
  description = "Key of the volumes; null: the account's own for volumes. They are encrypted in any case."
  type        = string
  default     = null
}

variable "sync" {
  description = "What an acknowledged record survives: default = a killed process; always = a power loss."
  type        = string
  default     = "default"
}

variable "api_certificate_arn" {
  description = "Certificate of the API, for api.DOMAIN; null: plain HTTP, within the network."
  type        = string
  default     = null
}

variable "settings" {
  description = "Further settings of the config file, as of node-config."
  type        = any
  default     = {}
}

variable "alarms" {
  description = "CloudWatch alarms, and whom they tell (ARNs of SNS topics)."
  type        = object({ enabled = optional(bool, false), actions = optional(list(string), []) })
  default     = {}
}

variable "tags" {
  description = "Tags of all that is made."
  type        = map(string)
  default     = {}
}
