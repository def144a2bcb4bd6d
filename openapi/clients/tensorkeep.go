// Tensorkeep from Go: the standard library alone.
//
//	go run tensorkeep.go http://127.0.0.1:7840 example
//
// A token is taken from TENSORKEEP_TOKEN.
package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"sort"
	"strings"
)

// Refused is the problem document of a refusal.
type Refused struct {
	Status int    `json:"status"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

func (r *Refused) Error() string { return r.Code + ": " + r.Detail }

// Client may be used by many goroutines.
type Client struct {
	URL, Token string
	HTTP       http.Client
}

type object = map[string]any

// Send leaves the body of the reply to the caller, who closes it.
func (c *Client) Send(ctx context.Context, method, path string, body any, headers ...string) (*http.Response, error) {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.URL+"/v1"+path, content)
	if err != nil {
		return nil, err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.Token != "" {
		request.Header.Set("Authorization", "Bearer "+c.Token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	reply, err := c.HTTP.Do(request)
	if err != nil || reply.StatusCode < 400 {
		return reply, err
	}
	defer reply.Body.Close()
	refused := &Refused{Status: reply.StatusCode}
	if err := json.NewDecoder(reply.Body).Decode(refused); err != nil {
		return nil, fmt.Errorf("status %d: %w", reply.StatusCode, err)
	}
	return nil, refused
}

// Call reads the JSON reply into out, unless that is nil.
func (c *Client) Call(ctx context.Context, method, path string, body, out any, headers ...string) error {
	reply, err := c.Send(ctx, method, path, body, headers...)
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	if out == nil {
		out = new(any)
	}
	return json.NewDecoder(reply.Body).Decode(out)
}

// Bytes reads all of a binary reply.
func (c *Client) Bytes(ctx context.Context, path, accept string) ([]byte, error) {
	reply, err := c.Send(ctx, "GET", path, nil, "Accept", accept)
	if err != nil {
		return nil, err
	}
	defer reply.Body.Close()
	return io.ReadAll(reply.Body)
}

// Float32s are the elements of a float32 variable, the last dimension varying fastest.
func (c *Client) Float32s(ctx context.Context, model, variable string) ([]float32, error) {
	raw, err := c.Bytes(ctx, "/models/"+model+"/variables/"+variable+":value", "application/octet-stream")
	if err != nil {
		return nil, err
	}
	values := make([]float32, len(raw)/4)
	return values, binary.Read(bytes.NewReader(raw), binary.LittleEndian, values)
}

// Change is what happened to something: Event is variable.changed, checkpoint.saved and so on, or gap: look at everything again.
type Change struct {
	Event, Model, Name, Op string
	Revision               int64
}

// Changes calls on for what happens to a model after a revision, until it says false.
func (c *Client) Changes(ctx context.Context, model string, since int64, on func(Change) bool) error {
	path := fmt.Sprintf("/models/%s/changes?feed=eventsource&since=%d", model, since)
	reply, err := c.Send(ctx, "GET", path, nil, "Accept", "text/event-stream")
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	kind, data := "", ""
	for lines := bufio.NewReader(reply.Body); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			return err
		}
		field, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch field {
		case "event":
			kind = text
		case "data":
			data += text
		case "":
			var message struct{ Changes []Change }
			if kind == "gap" {
				message.Changes = []Change{{Event: kind}}
			} else if kind == "changes" {
				if err := json.Unmarshal([]byte(data), &message); err != nil {
					return err
				}
			}
			for _, change := range message.Changes {
				if !on(change) {
					return nil
				}
			}
			kind, data = "", ""
		}
	}
}

// tensorNames looks into a safetensors file: 8 bytes of length, a JSON header, the data.
func tensorNames(file []byte) ([]string, error) {
	header := object{}
	if len(file) < 8 || binary.LittleEndian.Uint64(file) > uint64(len(file)-8) {
		return nil, io.ErrUnexpectedEOF
	}
	if err := json.Unmarshal(file[8:8+binary.LittleEndian.Uint64(file)], &header); err != nil {
		return nil, err
	}
	names := []string{}
	for name := range header {
		if name != "__metadata__" {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names, nil
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	ctx, c, model := context.Background(), &Client{URL: os.Args[1], Token: os.Getenv("TENSORKEEP_TOKEN")}, os.Args[2]
	at := "/models/" + model

	must(c.Call(ctx, "PUT", at, object{"seed": 7}, nil))
	must(c.Call(ctx, "POST", at+"/variables", []object{
		{"name": "layer/weights", "initial_value": object{"op": "ones", "shape": []int{2, 3}}},
		{"name": "global_step", "dtype": "int64", "initial_value": 0, "trainable": false},
	}, nil))
	var ready struct {
		Initialized []string
		Revision    int64
	}
	must(c.Call(ctx, "POST", at+":initialize", nil, &ready))
	sort.Strings(ready.Initialized)
	fmt.Println("initialized:", strings.Join(ready.Initialized, " "))

	must(c.Call(ctx, "PUT", at+"/optimizers/sgd", object{"type": "gradient_descent", "learning_rate": 0.5}, nil))
	key := make([]byte, 16)
	_, err := rand.Read(key)
	must(err)
	var step struct {
		GlobalStep int64 `json:"global_step"`
	}
	must(c.Call(ctx, "POST", at+"/optimizers/sgd:apply_gradients", object{
		"gradients":   object{"layer/weights": [][]float64{{0.5, 1.5, 2.5}, {3.5, 4.5, 5.5}}},
		"global_step": "global_step",
	}, &step, "Idempotency-Key", hex.EncodeToString(key)))
	weights, err := c.Float32s(ctx, model, "layer/weights")
	must(err)
	fmt.Printf("step %d: %s\n", step.GlobalStep, strings.Trim(fmt.Sprint(weights), "[]"))

	var saved struct{ Name string }
	must(c.Call(ctx, "POST", at+"/checkpoints",
		object{"name": "model.ckpt", "global_step": object{"variable": "global_step"}}, &saved))
	file, err := c.Bytes(ctx, at+"/checkpoints/"+saved.Name+":export", "application/vnd.safetensors")
	must(err)
	names, err := tensorNames(file)
	must(err)
	fmt.Printf("saved %s: %s\n", saved.Name, strings.Join(names, " "))

	seen := []string{}
	must(c.Changes(ctx, model, ready.Revision, func(change Change) bool {
		if strings.HasPrefix(change.Event, "variable.") || strings.HasPrefix(change.Event, "checkpoint.") {
			seen = append(seen, change.Event+" "+change.Name)
		}
		return change.Event != "checkpoint.saved"
	}))
	sort.Strings(seen)
	fmt.Println("changes:", strings.Join(seen, ", "))

	err = c.Call(ctx, "POST", at+"/variables/layer/weights:assign_add", object{"value": []float64{1, 2}}, nil)
	if refused, ok := err.(*Refused); ok {
		fmt.Println("refused:", refused.Code)
	}
	must(c.Call(ctx, "DELETE", at, nil, nil))
}
