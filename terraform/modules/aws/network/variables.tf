variable "name" {
  description = "Begins the names of what is made."
  type        = string
}

variable "regions" {
  description = "The regions, each with its network's addresses and how many zones it spans. With connectivity peered no two may overlap."
  type        = map(object({ cidr = string, zones = optional(number, 3) }))
  validation {
    condition     = alltrue([for r in var.regions : can(cidrsubnet(r.cidr, 4, 0)) && r.zones >= 1 && r.zones <= 6])
    error_message = "regions: each needs a network of /24 or larger, such as 10.1.0.0/16, and 1 to 6 zones."
  }
  validation {
    condition     = length(distinct([for r in var.regions : r.cidr])) == length(var.regions)
    error_message = "regions: two of them have the same network; peered networks must differ."
  }
}

variable "connectivity" {
  description = "How nodes of different regions reach each other: public (by public addresses, with mutual TLS) or peered (by private ones, over peerings of every two networks)."
  type        = string
  default     = "public"
  validation {
    condition     = contains(["public", "peered"], var.connectivity)
    error_message = "connectivity is ${var.connectivity}: use public or peered."
  }
}

variable "tags" {
  description = "Tags of all that is made."
  type        = map(string)
  default     = {}
}
