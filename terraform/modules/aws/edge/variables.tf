variable "name" {
  description = "The cluster's name, as of the module core."
  type        = string
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,15}$", var.name))
    error_message = "name is ${var.name}: use up to 16 lower case letters, digits and hyphens, a letter first."
  }
}

variable "region" {
  description = "The AWS region of these edges."
  type        = string
}

variable "vpc_id" {
  description = "The network."
  type        = string
}

variable "subnet_ids" {
  description = "Public subnets, one in each zone."
  type        = list(string)
  validation {
    condition     = length(var.subnet_ids) > 0
    error_message = "subnet_ids is empty: name a public subnet in each zone."
  }
}

variable "connectivity" {
  description = "How nodes of other regions reach these: public or peered; as of the module network."
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

variable "seeds" {
  description = "Gossip addresses to join by: the output seeds of the module core."
  type        = list(string)
}

variable "domain" {
  description = "The domain of the clients' URL, such as rt.example.com. This region's own name is REGION.DOMAIN."
  type        = string
}

variable "zone_id" {
  description = "The Route 53 zone that domain is in."
  type        = string
}

variable "addressing" {
  description = "What clients are told by /v1/edges: balanced = this region's URL, by the load balancer; per_edge = each edge's own (INSTANCE.DOMAIN, which the edge registers by itself), which turns team affinity on."
  type        = string
  default     = "balanced"
  validation {
    condition     = contains(["balanced", "per_edge"], var.addressing)
    error_message = "addressing is ${var.addressing}: use balanced or per_edge."
  }
}

variable "tls" {
  description = "Where TLS ends: at the load balancer, with certificate_arn (of ACM, in this region), or in the edge, with secret_arn (a secret with the certificate, those that lead to its CA, and its key, in PEM). For DOMAIN and *.DOMAIN. One of them."
  type        = object({ certificate_arn = optional(string), secret_arn = optional(string) })
  validation {
    condition     = (var.tls.certificate_arn == null) != (var.tls.secret_arn == null)
    error_message = "tls: give certificate_arn (TLS ends at the load balancer) or secret_arn (in the edge), one of them."
  }
  validation {
    condition     = var.addressing == "balanced" || var.tls.secret_arn != null
    error_message = "tls: with addressing per_edge clients come to the edges themselves, so TLS ends there: give secret_arn."
  }
}

variable "secrets" {
  description = "ARNs of secrets: the CA's certificate and its key (each edge makes its own certificate by it when it starts); the gossip key; the secret of client tokens, if it is not tokens.jwks_url that says how to check them. kms_keys are those that they are encrypted with, if not the account's own."
  type = object({
    ca           = string
    ca_key       = string
    gossip_key   = string
    token_secret = optional(string)
    kms_keys     = optional(list(string), [])
  })
  validation {
    condition     = alltrue([for arn in compact([var.secrets.ca, var.secrets.ca_key, var.secrets.gossip_key, var.secrets.token_secret]) : startswith(arn, "arn:")])
    error_message = "secrets are ARNs, never values."
  }
}

variable "tokens" {
  description = "How client tokens are checked, beside secrets.token_secret: a key set's URL, and the aud and iss that they must have."
  type        = object({ jwks_url = optional(string, ""), audience = optional(string, ""), issuer = optional(string, "") })
  default     = {}
  validation {
    condition     = (var.tokens.jwks_url == "") != (var.secrets.token_secret == null)
    error_message = "tokens: give tokens.jwks_url or secrets.token_secret, one of them."
  }
}

variable "allowed_origins" {
  description = "Origins of pages that may connect; * = any."
  type        = list(string)
  default     = []
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

variable "size" {
  description = "The fewest and the most edges."
  type        = object({ min = number, max = number })
  default     = { min = 2, max = 6 }
  validation {
    condition     = var.size.min >= 1 && var.size.max >= var.size.min
    error_message = "size.min must be at least 1, and size.max no smaller."
  }
}

variable "sockets" {
  description = "Sockets of an edge: max is where it takes no more, target the mean that the group is scaled to."
  type        = object({ max = optional(number, 100000), target = optional(number, 60000) })
  default     = {}
  validation {
    condition     = var.sockets.target > 0 && var.sockets.target < var.sockets.max
    error_message = "sockets.target must be below sockets.max, and above 0: where one edge dies, its clients need room at the others."
  }
}

variable "load_target" {
  description = "The mean load (0 to 1) that the group is scaled to as well: an edge may be busy with few sockets."
  type        = number
  default     = 0.6
}

variable "cross_zone" {
  description = "Whether the load balancer spreads clients evenly over the edges of all zones, which AWS charges for per GB, or over the zones and then over the edges of each."
  type        = bool
  default     = true
}

variable "cache_bytes" {
  description = "Memory for recent frames, of each edge."
  type        = number
  default     = 1073741824
}

variable "drain" {
  description = "An edge that is to go gives its clients so many seconds to move, and asks no more than rate of them in a second: sockets.max / rate may be longer. Together two hours at most, the longest that a group waits."
  type        = object({ seconds = optional(number, 120), rate = optional(number, 1000) })
  default     = {}
  validation {
    condition     = var.drain.seconds >= 0 && var.drain.rate >= 1 && max(var.drain.seconds, var.sockets.max / var.drain.rate) <= 7000
    error_message = "drain: seconds must be 0 or more, rate 1 or more, and neither seconds nor sockets.max / rate above 7000."
  }
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

variable "dashboard" {
  description = "Whether there is a CloudWatch dashboard of this region."
  type        = bool
  default     = false
}

variable "tags" {
  description = "Tags of all that is made."
  type        = map(string)
  default     = {}
}
