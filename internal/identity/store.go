package identity

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Names of the files that `selvedge cert` keeps in a folder.
const (
	caCertFile = "ca.pem"
	caKeyFile  = "ca-key.pem"
)

// NodeFilesIn names the files of a node in a folder of `selvedge cert`.
func NodeFilesIn(dir, role, name string) NodeFiles {
	base := filepath.Join(dir, role+"-"+name)
	return NodeFiles{Cert: base + ".pem", Key: base + "-key.pem", CA: filepath.Join(dir, caCertFile)}
}

// Save writes the CA into dir, which is made if need be. It never overwrites.
func (ca *CA) Save(dir string) error {
	key, err := ca.KeyPEM()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	return savePair(filepath.Join(dir, caCertFile), ca.PEM(), filepath.Join(dir, caKeyFile), key)
}

// LoadCA reads the CA from dir.
func LoadCA(dir string) (*CA, error) {
	certPath, keyPath := filepath.Join(dir, caCertFile), filepath.Join(dir, caKeyFile)
	certPEM, err := os.ReadFile(certPath)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s has no CA: make one with 'selvedge cert ca %s'", dir, dir)
	}
	if err != nil {
		return nil, fmt.Errorf("CA can't be read: %w", err)
	}
	keyPEM, err := os.ReadFile(keyPath)
	if err != nil {
		return nil, fmt.Errorf("key of the CA can't be read: %w", err)
	}
	certBlock, _ := pem.Decode(certPEM)
	keyBlock, _ := pem.Decode(keyPEM)
	if certBlock == nil || keyBlock == nil {
		return nil, fmt.Errorf("%s and %s must be PEM files", certPath, keyPath)
	}
	cert, err := x509.ParseCertificate(certBlock.Bytes)
	if err != nil {
		return nil, fmt.Errorf("CA %s: %w", certPath, err)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(keyBlock.Bytes)
	if err != nil {
		return nil, fmt.Errorf("CA key %s: %w", keyPath, err)
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok || !cert.IsCA {
		return nil, fmt.Errorf("%s is no CA with an Ed25519 key: make one with 'selvedge cert ca'", certPath)
	}
	if !key.Public().(ed25519.PublicKey).Equal(cert.PublicKey) {
		return nil, fmt.Errorf("CA %s: key %s: %w", certPath, keyPath, ErrKeyMismatch)
	}
	return &CA{cert: cert, key: key}, nil
}

// Save writes a new certificate and its key. It never overwrites.
func (i Issued) Save(files NodeFiles) error {
	return savePair(files.Cert, i.Cert, files.Key, i.Key)
}

// replace puts a new certificate and key in the place of old ones. A node that
// reads between the two finds them not to match, and looks again later.
func (i Issued) replace(files NodeFiles) error {
	key, err := writeTemp(files.Key, i.Key, 0o600)
	if err != nil {
		return err
	}
	cert, err := writeTemp(files.Cert, i.Cert, 0o644)
	if err != nil {
		return errors.Join(err, os.Remove(key))
	}
	if err := os.Rename(key, files.Key); err != nil {
		return errors.Join(fmt.Errorf("replace key: %w", err), os.Remove(key), os.Remove(cert))
	}
	if err := os.Rename(cert, files.Cert); err != nil {
		return fmt.Errorf("the new key is in place but the certificate is still %s: rename it: %w", cert, err)
	}
	return nil
}

// savePair writes both files or none, and nothing over a file that exists.
func savePair(certPath string, cert []byte, keyPath string, key []byte) error {
	if err := writeNew(keyPath, key, 0o600); err != nil {
		return err
	}
	if err := writeNew(certPath, cert, 0o644); err != nil {
		return errors.Join(err, os.Remove(keyPath))
	}
	return nil
}

func writeNew(path string, text []byte, mode fs.FileMode) error {
	temp, err := writeTemp(path, text, mode)
	if err != nil {
		return err
	}
	err = os.Link(temp, path) // unlike a rename, it doesn't overwrite
	if errors.Is(err, fs.ErrExist) {
		err = fmt.Errorf("%s exists: it stays as it is; use 'selvedge cert rotate', or another folder", path)
	} else if err != nil {
		err = fmt.Errorf("write %s: %w", path, err)
	}
	return errors.Join(err, os.Remove(temp))
}

// writeTemp writes a file beside path, whole and on disk, and gives its name.
func writeTemp(path string, text []byte, mode fs.FileMode) (string, error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return "", fmt.Errorf("write %s: %w", path, err)
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err != nil {
		return "", errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(f.Name()))
	}
	return f.Name(), nil
}
