package mysqlserver

import (
	"fmt"
	"os"
	"path/filepath"
)

// PluginPackage is Debian's package with the plugins of MariaDB. It would start a
// service; unpacked into PluginCache it does not.
const PluginPackage = "mariadb-server"

// PluginCache is where that package may be unpacked to. It can be entered by the user
// that servers run as when we are root.
func PluginCache() (string, error) {
	if os.Geteuid() == 0 {
		return "/var/cache/evert/debian/" + PluginPackage, nil
	}
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, "evert", "debian", PluginPackage), err
}

// Plugins gives the folder that holds a plugin of the server's, for --plugin-dir.
func (b Binaries) Plugins(file string) (string, error) {
	cache, err := PluginCache()
	if err != nil {
		return "", err
	}
	own := filepath.Dir(filepath.Dir(b.Daemon))
	for _, base := range []string{own, filepath.Join(cache, "usr")} {
		for _, dir := range []string{"lib/mysql/plugin", "lib/plugin", "lib64/mysql/plugin", "lib64/plugin"} {
			dir = filepath.Join(base, dir)
			if _, err := os.Stat(filepath.Join(dir, file)); err == nil {
				return dir, nil
			}
		}
	}
	return "", fmt.Errorf("no %s below %s or %s, where Debian's package %s can be unpacked", file, own, cache, PluginPackage)
}
