package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// layout is a directory in OCI image layout; it is read anew at each use.
type layout struct{ directory string }

func (l *layout) open(digest string) (*os.File, error) {
	if l.directory == "" || !digestPattern.MatchString(digest) {
		return nil, os.ErrNotExist
	}
	return os.Open(filepath.Join(l.directory, "blobs", strings.Replace(digest, ":", "/", 1)))
}

// names are the image names of the index and what they point to.
func (l *layout) names() map[string]string {
	names := map[string]string{}
	text, err := os.ReadFile(filepath.Join(l.directory, "index.json"))
	if err != nil {
		return names
	}
	var index struct {
		Manifests []struct {
			Digest      string
			Annotations map[string]string
		}
	}
	if json.Unmarshal(text, &index) != nil {
		return names
	}
	for _, manifest := range index.Manifests {
		if name := manifest.Annotations["io.containerd.image.name"]; name != "" {
			names[name] = manifest.Digest
		}
	}
	return names
}

func (l *layout) resolve(name string) string { return l.names()[name] }

// keys are the digests of all content and the names of all images.
func (l *layout) keys() ([]string, error) {
	if l.directory == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(filepath.Join(l.directory, "blobs", "sha256"))
	if err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("content: %w", err)
	}
	var keys []string
	for _, entry := range entries {
		if digest := "sha256:" + entry.Name(); digestPattern.MatchString(digest) {
			keys = append(keys, digest)
		}
	}
	for name := range l.names() {
		keys = append(keys, name)
	}
	return keys, nil
}
