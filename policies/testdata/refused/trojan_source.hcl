plugin "a" {
  # ‮ reversed ⁦
  source = "a.wasm"
}
