variables {
  role   = "edge"
  region = "eu-west-1"
  join   = ["10.0.0.1:7402"]
}

run "an_edge_has_its_own_settings_only" {
  command = plan
  assert {
    condition     = keys(yamldecode(output.config)) == ["edge"] && !contains(keys(yamldecode(output.config).edge), "api_keys")
    error_message = "an edge's file has settings of a core: ${output.config}"
  }
  assert {
    condition     = yamldecode(output.config).edge.join == ["10.0.0.1:7402"]
    error_message = "join is not what was given"
  }
  assert {
    condition     = alltrue([for key in ["name", "cluster", "advertise_host", "public_addr", "tls_cert", "token_jwks_url"] : !contains(keys(yamldecode(output.config).edge), key)])
    error_message = "what was not given stands in the file: ${output.config}"
  }
}

run "a_core_listens_for_backends" {
  command = plan
  variables {
    role = "core"
    join = []
    core = { replicas = 3 }
  }
  assert {
    condition     = yamldecode(output.config).core.api_addr == ":7400" && yamldecode(output.config).core.replicas == 3
    error_message = "got ${output.config}"
  }
  assert {
    condition     = output.stop_seconds == 20
    error_message = "a core drains for 5 s and closes within 15, got ${output.stop_seconds}"
  }
  assert {
    condition     = strcontains(output.unit, "ReadWritePaths=/var/lib/selvedge")
    error_message = "the unit does not let the core write its data"
  }
}

run "a_full_edge_has_time_to_drain" {
  command = plan
  variables {
    edge = { max_sockets = 100000, drain_seconds = 20, drain_rate = 1000 }
  }
  assert {
    condition     = output.stop_seconds == 115
    error_message = "100,000 clients at 1,000 a second are 100 s, and 15 s to close; got ${output.stop_seconds}"
  }
  assert {
    condition     = strcontains(output.unit, "TimeoutStopSec=115")
    error_message = "systemd would cut the drain short"
  }
}

run "sockets_follow_the_file_limit" {
  command = plan
  variables {
    max_open_files = 100000
    edge           = { drain_seconds = 10, drain_rate = 1000 }
  }
  assert {
    condition     = output.stop_seconds == 105
    error_message = "89,488 sockets at 1,000 a second are 90 s, and 15 s to close; got ${output.stop_seconds}"
  }
}

run "tokens_by_key_set" {
  command = plan
  variables {
    edge = { token_jwks_url = "https://auth.example.com/jwks.json" }
  }
  assert {
    condition     = !contains(keys(yamldecode(output.config).edge), "token_secret_file")
    error_message = "with a key set there is no secret to read"
  }
}

run "settings_win" {
  command = plan
  variables {
    settings = { drain = "1m", accept_rate = 100 }
  }
  assert {
    condition     = yamldecode(output.config).edge.drain == "1m" && yamldecode(output.config).edge.accept_rate == 100
    error_message = "got ${output.config}"
  }
}

run "cloud_init_is_a_document" {
  command = plan
  variables {
    binary           = { url = "https://artifacts.example.com/selvedge", sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" }
    prepare          = "/usr/local/lib/selvedge/agent prepare"
    denied_addresses = ["169.254.169.254/32"]
    extra_files      = [{ path = "/usr/local/lib/selvedge/agent", content = "#!/bin/bash\necho \"it's\"\n", permissions = "0755" }]
    units            = { "selvedge-watch.service" = "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n", "selvedge-metrics.service" = "[Service]\nExecStart=/bin/true\n" }
  }
  assert {
    condition     = startswith(output.cloud_init, "#cloud-config\n")
    error_message = "cloud-init knows its document by the first line"
  }
  assert {
    condition     = one([for f in yamldecode(output.cloud_init).write_files : f.content if f.path == "/etc/selvedge/node.yaml"]) == output.config
    error_message = "the config file is not in it, or changed on its way"
  }
  assert {
    condition     = one([for f in yamldecode(output.cloud_init).write_files : f.content if f.path == "/usr/local/lib/selvedge/agent"]) == "#!/bin/bash\necho \"it's\"\n"
    error_message = "an extra file changed on its way"
  }
  assert {
    condition     = length([for c in yamldecode(output.cloud_init).runcmd : c if strcontains(c, "sha256sum -c -")]) == 1
    error_message = "the binary is not checked"
  }
  assert {
    condition     = length([for c in yamldecode(output.cloud_init).runcmd : c if endswith(c, "--no-block selvedge.service selvedge-watch.service")]) == 1
    error_message = "units with [Install] are started, others are not: ${jsonencode(yamldecode(output.cloud_init).runcmd)}"
  }
  assert {
    condition     = strcontains(output.unit, "IPAddressDeny=169.254.169.254/32") && strcontains(output.unit, "Requires=selvedge-prepare.service\nAfter=selvedge-prepare.service")
    error_message = "got ${output.unit}"
  }
  assert {
    condition     = alltrue([for f in yamldecode(output.cloud_init).write_files : strcontains(f.content, "ExecStart=/bin/bash -c 'until /usr/local/lib/selvedge/agent prepare; do sleep 5; done'") && !strcontains(f.content, "IPAddressDeny") if f.path == "/etc/systemd/system/selvedge-prepare.service"]) && contains([for f in yamldecode(output.cloud_init).write_files : f.path], "/etc/systemd/system/selvedge-prepare.service")
    error_message = "what prepares the node must reach what the node must not"
  }
}

run "nothing_to_prepare" {
  command = plan
  assert {
    condition     = !strcontains(output.unit, "selvedge-prepare") && !strcontains(output.cloud_init, "selvedge-prepare")
    error_message = "a unit waits for one that there is not"
  }
}

run "a_low_port_needs_a_right" {
  command = plan
  variables {
    listen = { public = ":443" }
  }
  assert {
    condition     = strcontains(output.unit, "AmbientCapabilities=CAP_NET_BIND_SERVICE")
    error_message = "a user without rights can't bind port 443"
  }
}

run "rejects_another_role" {
  command = plan
  variables {
    role = "relay"
  }
  expect_failures = [var.role]
}

run "rejects_an_edge_without_seeds" {
  command = plan
  variables {
    join = []
  }
  expect_failures = [var.join]
}

run "rejects_a_seed_without_port" {
  command = plan
  variables {
    join = ["10.0.0.1"]
  }
  expect_failures = [var.join]
}

run "rejects_two_cores" {
  command = plan
  variables {
    role = "core"
    core = { replicas = 2 }
  }
  expect_failures = [var.core]
}

run "rejects_two_urls" {
  command = plan
  variables {
    edge = { advertise_url = "https://a.example.com", regional_url = "https://eu.example.com" }
  }
  expect_failures = [var.edge]
}

run "rejects_a_binary_without_its_sum" {
  command = plan
  variables {
    binary = { url = "https://artifacts.example.com/selvedge", sha256 = "latest" }
  }
  expect_failures = [var.binary]
}
