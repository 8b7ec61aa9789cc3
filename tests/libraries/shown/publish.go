// Publishes as docs/clients.md shows it.
package main

import (
	"log"

	"github.com/pusher/pusher-http-go/v5"
)

func main() {
	id, key, secret := "ID", "KEY", "SECRET"
	client := pusher.Client{AppID: id, Key: key, Secret: secret, Host: "localhost:6001", Secure: false}
	if err := client.Trigger("shown", "event", "hello"); err != nil {
		log.Fatal(err)
	}
}
