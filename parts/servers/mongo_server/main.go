// A server that speaks MongoDB's protocol, for tests: FerretDB on one SQLite file a database.
// FerretDB's own command cannot be built from its module (its version file is left out), so this one embeds the library.
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/FerretDB/FerretDB/ferretdb"
)

func main() {
	address := flag.String("listen", "127.0.0.1:27017", "host and port")
	directory := flag.String("data", "", "an existing directory for the data")
	flag.Parse()
	if err := serve(*address, *directory); err != nil {
		log.Fatal(err)
	}
}

// serve returns when SIGTERM or SIGINT has ended the server.
func serve(address, directory string) error {
	if directory == "" {
		return errors.New("-data is missing: the directory for the data")
	}
	server, err := ferretdb.New(&ferretdb.Config{
		Listener:  ferretdb.ListenerConfig{TCP: address},
		Handler:   "sqlite",
		SQLiteURL: "file:" + directory + "/",
		Logger:    slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return server.Run(ctx)
}
