package guest

import "github.com/ringfence/ringfence/pluginkit/internal/abi"

// SecretExists reports whether the policy grants this plugin a secret of that
// name and the secret has a value. The value itself never enters a guest: the
// host adds it to requests. Use this to tell a user what is missing.
func SecretExists(name string) (bool, error) {
	return secretExists(abi.Current(), name)
}

func secretExists(host abi.Host, name string) (bool, error) {
	code := host.SecretExists(name)
	if code < 0 {
		return false, hostError(host, "secret "+name, int64(code))
	}
	return code == 1, nil
}
