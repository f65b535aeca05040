variable "binary" {
  description = "The selvedge binary."
  type        = string
  default     = "../../bin/selvedge"
}

variable "run_dir" {
  description = "Folder for keys, logs of the processes, and the core's data; made if missing, emptied by destroy."
  type        = string
  default     = "run"
}

variable "core_port" {
  description = "First of the core's four ports on loopback: API, link, gossip, admin."
  type        = number
  default     = 17400
}

variable "regions" {
  description = "How many edges each region has, and the first port of the region: each edge takes four of ten (public, link, gossip, admin)."
  type        = map(object({ edges = number, port = number }))
  default = {
    us-east      = { edges = 1, port = 17500 }
    eu-west      = { edges = 1, port = 17600 }
    ap-southeast = { edges = 1, port = 17700 }
  }
  validation {
    condition     = alltrue([for r in var.regions : r.edges >= 0 && r.edges <= 10 && floor(r.edges) == r.edges])
    error_message = "regions: a region has 0 to 10 edges on one machine."
  }
  validation {
    condition = length(distinct(concat([var.core_port], flatten([for r in var.regions : [for n in range(r.edges) : r.port + 10 * n]])))) == 1 + sum(
      concat([0], [for r in var.regions : r.edges])
    )
    error_message = "regions: two nodes would have the same ports. An edge takes ten from its region's first port on, the core from core_port."
  }
}

variable "drain_seconds" {
  description = "How long an edge that is taken away gives its clients to move to others."
  type        = number
  default     = 5
}
