// Reads webhooks with the official library of Pusher for Go.
//
//	webhooks KEY SECRET FILE
//
// FILE has a request in each line: key, signature and body, which is in Base64. For each of them a line is written:
// what the library has read, as JSON, or null where it refuses the request.
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"strings"

	"github.com/pusher/pusher-http-go/v5"
)

func main() {
	client := pusher.Client{AppID: "1", Key: os.Args[1], Secret: os.Args[2]}
	file, err := os.Open(os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 16*1024*1024)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		body, err := base64.StdEncoding.DecodeString(words[2])
		if err != nil {
			log.Fatal(err)
		}
		headers := http.Header{}
		headers.Set("X-Pusher-Key", words[0])
		headers.Set("X-Pusher-Signature", words[1])
		webhook, err := client.Webhook(headers, body)
		if err != nil {
			webhook = nil
		}
		read, err := json.Marshal(webhook)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(string(read))
	}
	if err := lines.Err(); err != nil {
		log.Fatal(err)
	}
}
