// Command traefik-log is a proxy whose access log Traefik's own formatters write. Traefik as a whole
// cannot be built from modules: `build` takes the fields and the formatters out of its module, and
// what fills the fields here follows pkg/middlewares/accesslog/logger.go.
package main

import (
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"sync/atomic"
	"time"

	"github.com/sirupsen/logrus"

	"traefik-log/accesslog"
)

type answer struct {
	http.ResponseWriter
	status int
	size   int64
}

func (a *answer) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(body []byte) (int, error) {
	n, err := a.ResponseWriter.Write(body)
	a.size += int64(n)
	return n, err
}

func main() {
	if len(os.Args) != 5 {
		log.Fatal("traefik-log common|json FILE PORT BACKEND")
	}
	file, err := os.OpenFile(os.Args[2], os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		log.Fatal(err)
	}
	logger := &logrus.Logger{
		Out: file, Formatter: new(accesslog.CommonLogFormatter),
		Hooks: make(logrus.LevelHooks), Level: logrus.InfoLevel,
	}
	if os.Args[1] == "json" {
		logger.Formatter = new(logrus.JSONFormatter)
	}
	backend := &url.URL{Scheme: "http", Host: os.Args[4]}
	proxy := httputil.NewSingleHostReverseProxy(backend)
	proxy.ErrorHandler = func(rw http.ResponseWriter, _ *http.Request, _ error) { rw.WriteHeader(499) }
	var count atomic.Uint64
	handler := http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		now := time.Now().UTC()
		core := logrus.Fields{
			accesslog.StartUTC: now, accesslog.StartLocal: now.Local(),
			accesslog.RequestCount: count.Add(1), accesslog.RequestMethod: req.Method,
			accesslog.RequestPath: req.URL.RequestURI(), accesslog.RequestProtocol: req.Proto,
			accesslog.RequestScheme: "http", accesslog.ClientAddr: req.RemoteAddr,
			accesslog.RouterName: "cart@file", accesslog.ServiceName: "cart@file",
			accesslog.ServiceURL: backend.String(), accesslog.ServiceAddr: backend.Host,
			accesslog.ClientUsername: "-", accesslog.RequestAddr: req.Host,
			accesslog.RequestHost: req.Host, accesslog.RequestPort: "-", accesslog.RetryAttempts: 0,
			"entryPointName": "web",
		}
		core[accesslog.ClientHost], core[accesslog.ClientPort], _ = net.SplitHostPort(req.RemoteAddr)
		if forwarded := req.Header.Get("X-Forwarded-For"); forwarded != "" {
			core[accesslog.ClientHost] = forwarded
		}
		for _, name := range []string{"User-Agent", "Referer"} {
			// Kept as accessLog.fields.headers.names does; by default Traefik keeps no header.
			if value := req.Header.Get(name); value != "" {
				core["request_"+name] = value
			}
		}
		seen := &answer{ResponseWriter: rw, status: http.StatusOK}
		proxy.ServeHTTP(seen, req)
		core[accesslog.Duration] = time.Now().UTC().Sub(now)
		core[accesslog.OriginDuration], core[accesslog.Overhead] = core[accesslog.Duration], time.Duration(0)
		core[accesslog.OriginStatus], core[accesslog.OriginContentSize] = seen.status, seen.size
		core[accesslog.DownstreamStatus], core[accesslog.DownstreamContentSize] = seen.status, seen.size
		logger.WithFields(core).Println()
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[3], handler))
}
