package guest

import "github.com/ringfence/ringfence/pluginkit/guest/internal/abi"

// SecretExists reports whether the policy grants this plugin a secret of that
// name and the secret has a value. The value itself never enters a guest: the
// host adds it to requests. Use this to tell a user what is missing.
func SecretExists(name string) (bool, error) {
	code := abi.Current().SecretExists(name)
	if code < 0 {
		return false, hostError("secret "+name, int64(code))
	}
	return code == 1, nil
}
