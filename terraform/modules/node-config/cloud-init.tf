# JSON is YAML, so the document is encoded rather than pasted together.
locals {
  unit = templatefile("${path.module}/selvedge.service.tftpl", {
    role             = var.role
    prepare          = var.prepare
    stop_seconds     = local.stop_seconds
    max_open_files   = var.max_open_files
    data             = var.role == "core" ? var.core.data : ""
    denied_addresses = var.denied_addresses
    # Of the ports that clients come to: the others are never below 1024.
    low_port = var.role == "edge" && try(tonumber(regex("[0-9]+$", var.listen.public)) < 1024, false)
  })

  # A unit of its own: what is denied to the node's unit is denied to all that the unit starts, and
  # a unit whose preparation has failed would not be started again.
  prepare_unit = <<-EOT
    [Unit]
    Description=Selvedge: what the node needs before it starts
    Wants=network-online.target
    After=network-online.target

    [Service]
    Type=oneshot
    TimeoutStartSec=infinity
    ExecStart=/bin/bash -c 'until ${var.prepare}; do sleep 5; done'
  EOT

  # As many UDP bytes as QUIC asks for; as many accepts as come at once in a storm.
  sysctl = <<-EOT
    net.core.rmem_max = 7500000
    net.core.wmem_max = 7500000
    net.core.somaxconn = 65535
    net.ipv4.tcp_max_syn_backlog = 65535
    fs.nr_open = ${max(var.max_open_files, 1048576)}
  EOT

  fetch = var.binary == null ? [] : [join(" && ", [
    "curl -fsSL --retry 10 --retry-all-errors -o /usr/local/bin/selvedge.new '${var.binary.url}'",
    "echo '${var.binary.sha256}  /usr/local/bin/selvedge.new' | sha256sum -c -",
    "chmod 0755 /usr/local/bin/selvedge.new",
    "mv /usr/local/bin/selvedge.new /usr/local/bin/selvedge",
  ])]

  installed = [for name, text in var.units : name if strcontains(text, "[Install]")]

  cloud_config = {
    users = ["default", { name = "selvedge", system = true, shell = "/usr/sbin/nologin", no_create_home = true }]
    write_files = concat(
      [
        { path = "/etc/selvedge/node.yaml", permissions = "0644", content = local.config },
        { path = "/etc/systemd/system/selvedge.service", permissions = "0644", content = local.unit },
        { path = "/etc/sysctl.d/90-selvedge.conf", permissions = "0644", content = local.sysctl },
      ],
      var.prepare == "" ? [] : [{ path = "/etc/systemd/system/selvedge-prepare.service", permissions = "0644", content = local.prepare_unit }],
      [for name, text in var.units : { path = "/etc/systemd/system/${name}", permissions = "0644", content = text }],
      [for f in var.extra_files : { path = f.path, permissions = f.permissions, content = f.content }],
    )
    runcmd = concat(
      ["sysctl --system"],
      local.fetch,
      var.role == "core" ? ["install -d -o selvedge -g selvedge -m 0750 '${var.core.data}'"] : [],
      ["systemctl daemon-reload", "systemctl enable --now --no-block ${join(" ", concat(["selvedge.service"], local.installed))}"],
    )
  }

  cloud_init = "#cloud-config\n${jsonencode(local.cloud_config)}\n"
}
