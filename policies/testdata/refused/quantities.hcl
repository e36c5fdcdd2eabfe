ringfence {
  max_sandboxes = 0
}

plugin "a" {
  source = "a.wasm"
  limits {
    memory       = "128MB"
    cpu_time     = "5"
    call_timeout = "1 minute"
    processes    = 1.5
  }
}

plugin "b" {
  source = "a.wasm"
  limits {
    memory       = 134217728
    cpu_time     = 30
    call_timeout = "48h"
    processes    = 1000
  }
  http {
    rate = "60/fortnight"
  }
}

plugin "c" {
  source = "a.wasm"
  limits {
    memory       = "8GiB"
    cpu_time     = "-5s"
    call_timeout = "1ms"
    processes    = "two"

    message_timeout = "1ms"
    ring            = "32KiB"
    ring_rate       = "1KiB"
  }
  http {
    rate = 60
  }
}

plugin "d" {
  source = "a.wasm"
  limits {
    memory   = "-1MiB"
    cpu_time = true
  }
  http {
    rate = "0/s"
  }
}

plugin "e" {
  source = "a.wasm"
  limits {
    memory = "99999999999999999999MiB"
  }
}

plugin "f" {
  source = "a.wasm"
  limits {
    memory = "18446744073709551615KiB"
  }
}

plugin "g" {
  source = "a.wasm"
  limits {
    memory = "1KiB"
  }
}
