variable "role" {
  description = "What the node is: core or edge."
  type        = string
  validation {
    condition     = contains(["core", "edge"], var.role)
    error_message = "role is ${var.role}: use core or edge."
  }
}

variable "region" {
  description = "The region that the node is in: a name of a public cloud (eu-west-1), or one of your own with its place, as NAME=LATITUDE,LONGITUDE."
  type        = string
  validation {
    condition     = length(var.region) > 0
    error_message = "region is empty: name the region that the node is in."
  }
}

variable "join" {
  description = "Gossip addresses, HOST:PORT, of nodes to join by. An edge needs one at least."
  type        = list(string)
  default     = []
  validation {
    condition     = alltrue([for a in var.join : can(regex("^[^ ]+:[0-9]+$", a))])
    error_message = "join has an address without a port: write each as HOST:PORT, the gossip address of a node."
  }
  validation {
    condition     = var.role != "edge" || length(var.join) > 0
    error_message = "join is empty: an edge finds its cluster by the gossip address of a core or another edge."
  }
}

variable "name" {
  description = "The node's name. Empty: the name in its certificate."
  type        = string
  default     = ""
}

variable "cluster" {
  description = "The cluster's name, the same on every node, for the cluster's life. Empty: none."
  type        = string
  default     = ""
}

variable "advertise_host" {
  description = "The address by which other nodes reach this one. Empty: what the machine's environment file says, or its first private address."
  type        = string
  default     = ""
}

variable "listen" {
  description = "Addresses to bind, HOST:PORT or :PORT. What is left out keeps the binary's default, but for a core's API, which listens on every address."
  type = object({
    api    = optional(string)
    public = optional(string)
    link   = optional(string)
    gossip = optional(string)
    admin  = optional(string)
    log    = optional(string)
  })
  default = {}
}

variable "files" {
  description = "Where the node's keys are, as paths on the node. They hold secrets: this module writes none of them."
  type = object({
    cert         = optional(string, "/etc/selvedge/keys/node.pem")
    key          = optional(string, "/etc/selvedge/keys/node-key.pem")
    ca           = optional(string, "/etc/selvedge/keys/ca.pem")
    gossip_key   = optional(string, "/etc/selvedge/keys/gossip.key")
    api_keys     = optional(string, "/etc/selvedge/keys/api.keys")
    token_secret = optional(string, "/etc/selvedge/keys/token.secret")
    tls_cert     = optional(string, "/etc/selvedge/keys/public.pem")
    tls_key      = optional(string, "/etc/selvedge/keys/public-key.pem")
  })
  default = {}
}

variable "core" {
  description = "Settings of a core; not used for an edge. keep_bytes counts for each of the 16 logs."
  type = object({
    data          = optional(string, "/var/lib/selvedge")
    replicas      = optional(number, 1)
    sync          = optional(string, "default")
    keep_age      = optional(string, "168h")
    keep_bytes    = optional(number, 17179869184)
    dedup_window  = optional(string, "2m")
    drain_seconds = optional(number, 5)
  })
  default = {}
  validation {
    condition     = contains([1, 3], var.core.replicas)
    error_message = "core.replicas is ${var.core.replicas}: use 1, or 3 on three cores."
  }
  validation {
    condition     = contains(["default", "always"], var.core.sync)
    error_message = "core.sync is ${var.core.sync}: use default or always."
  }
  validation {
    condition     = var.core.drain_seconds >= 0
    error_message = "core.drain_seconds is negative: use 0 for no drain."
  }
}

variable "edge" {
  description = "Settings of an edge; not used for a core. advertise_url and regional_url exclude each other. max_sockets 0 = nine tenths of max_open_files, less 512."
  type = object({
    advertise_url       = optional(string, "")
    regional_url        = optional(string, "")
    allowed_origins     = optional(list(string), [])
    trust_geo_headers   = optional(bool, false)
    proxy_protocol_from = optional(list(string), [])
    tls                 = optional(bool, false)
    max_sockets         = optional(number, 0)
    cache_bytes         = optional(number, 268435456)
    drain_seconds       = optional(number, 20)
    drain_rate          = optional(number, 2000)
    ping_seconds        = optional(number, 25)
    token_jwks_url      = optional(string, "")
    token_audience      = optional(string, "")
    token_issuer        = optional(string, "")
  })
  default = {}
  validation {
    condition     = var.edge.advertise_url == "" || var.edge.regional_url == ""
    error_message = "edge.advertise_url and edge.regional_url exclude each other: clients are told one of them."
  }
  validation {
    condition     = var.edge.drain_seconds >= 0 && var.edge.drain_rate >= 1
    error_message = "edge.drain_seconds must be 0 or more, edge.drain_rate 1 or more."
  }
  validation {
    condition     = var.edge.ping_seconds >= 1
    error_message = "edge.ping_seconds is ${var.edge.ping_seconds}: use 1 or more."
  }
}

variable "settings" {
  description = "Further settings of the config file, by the names that 'selvedge config print' shows. They win over all others."
  type        = any
  default     = {}
  validation {
    condition     = can(keys(var.settings))
    error_message = "settings is no map: write it as { name = value }."
  }
}

variable "log_format" {
  description = "Format of the log: text or json."
  type        = string
  default     = "json"
  validation {
    condition     = contains(["text", "json"], var.log_format)
    error_message = "log_format is ${var.log_format}: use text or json."
  }
}

variable "max_open_files" {
  description = "File limit of the process. An edge needs a file per socket; the rest is for links, logs and handshakes."
  type        = number
  default     = 1048576
  validation {
    condition     = var.max_open_files >= 4096
    error_message = "max_open_files is ${var.max_open_files}: use 4096 or more."
  }
}

variable "binary" {
  description = "Where the machine gets the binary from when it starts: an https URL, and the SHA-256 that it must have. Null: the image has it at /usr/local/bin/selvedge."
  type        = object({ url = string, sha256 = string })
  default     = null
  validation {
    condition     = var.binary == null || can(regex("^https://", var.binary.url)) && can(regex("^[0-9a-f]{64}$", var.binary.sha256))
    error_message = "binary needs a URL that begins with https:// and a sha256 of 64 hexadecimal digits."
  }
}

variable "extra_files" {
  description = "Files that cloud-init writes beside the config, such as a cloud's own scripts. No secrets: user data can be read by whoever may describe the machine."
  type        = list(object({ path = string, content = string, permissions = optional(string, "0644") }))
  default     = []
}

variable "prepare" {
  description = "Command that runs as root before the node starts, each time, and again until it succeeds: it brings the keys and writes /run/selvedge/node.env. Without single quotes. Empty: none."
  type        = string
  default     = ""
  validation {
    condition     = !strcontains(var.prepare, "'")
    error_message = "prepare has a single quote: put the command into one of extra_files."
  }
}

variable "units" {
  description = "Further systemd units by their name, each with its text. Those with an [Install] section are enabled and started."
  type        = map(string)
  default     = {}
}

variable "denied_addresses" {
  description = "Addresses that the node's process can't reach, such as a cloud's metadata service: what takes over the process doesn't get the machine's credentials."
  type        = list(string)
  default     = []
}
