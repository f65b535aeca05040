variable "name" {
  description = "The cluster's name."
  type        = string
  default     = "selvedge"
}

variable "domain" {
  description = "The domain of the clients' URL, such as rt.example.com."
  type        = string
}

variable "zone_id" {
  description = "The Route 53 zone that it is in."
  type        = string
}

variable "binary" {
  description = "Where the machines get the binary: an https URL and its SHA-256."
  type        = object({ url = string, sha256 = string })
}

variable "tls_secret_arn" {
  description = "Secret with the certificate for DOMAIN and *.DOMAIN, those that lead to its CA, and its key: TLS ends in the edges."
  type        = string
}

variable "connectivity" {
  description = "How nodes of different regions reach each other: public or peered."
  type        = string
  default     = "public"
}

variable "addressing" {
  description = "What clients are told: balanced (each region's URL) or per_edge (each edge's, with team affinity)."
  type        = string
  default     = "balanced"
}

variable "accelerator" {
  description = "Whether clients come by a Global Accelerator."
  type        = bool
  default     = false
}

variable "alarms" {
  description = "CloudWatch alarms, and whom they tell."
  type        = object({ enabled = optional(bool, false), actions = optional(list(string), []) })
  default     = {}
}

variable "secrets" {
  description = "ARNs of the secrets that docs/terraform.md shows how to make: each core's certificate and key (core-a first), the CA's certificate and key, and the keys of gossip, backends and client tokens."
  type = object({
    cores      = list(string)
    ca         = string
    ca_key     = string
    gossip_key = string
    api_keys   = string
    token      = string
  })
}
