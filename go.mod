module github.com/magpie-bridge/magpie

go 1.26
