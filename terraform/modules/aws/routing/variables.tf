variable "name" {
  description = "The cluster's name."
  type        = string
}

variable "zone_id" {
  description = "The Route 53 zone that domain is in."
  type        = string
}

variable "domain" {
  description = "The domain of the clients' URL, such as rt.example.com."
  type        = string
}

variable "balancers" {
  description = "The output balancer of each region's edges, by the AWS region."
  type        = map(object({ dns_name = string, zone_id = string, arn = string }))
  validation {
    condition     = length(var.balancers) > 0
    error_message = "balancers is empty: clients need one region at least."
  }
}

variable "accelerator" {
  description = "Whether clients come by a Global Accelerator (two addresses for the whole world, and AWS' own network from the nearest place on), and not by the record of the nearest region."
  type        = bool
  default     = false
}

variable "token_secret_arn" {
  description = "The secret that client tokens are signed with, for the output listen; null: the line expects a token in TOKEN."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of all that is made."
  type        = map(string)
  default     = {}
}
