variable "name" {
  description = "The cluster's name."
  type        = string
  default     = "selvedge"
}

variable "region" {
  description = "The AWS region of the network."
  type        = string
}

variable "vpc_id" {
  description = "The network."
  type        = string
}

variable "subnets" {
  description = "A public subnet in each of three zones, by the zone's name."
  type        = map(string)
}

variable "connectivity" {
  description = "peered: nodes use private addresses, as there are none elsewhere, or only in networks that are peered with this one; public: by public ones."
  type        = string
  default     = "peered"
}

variable "api_cidrs" {
  description = "Networks that backends come from; none = the network itself."
  type        = list(string)
  default     = []
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

variable "certificate_arn" {
  description = "Certificate of ACM for DOMAIN and *.DOMAIN."
  type        = string
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
