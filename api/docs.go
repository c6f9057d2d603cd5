package api

import (
	"crypto/rand"
	_ "embed"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
)

//go:embed docs.html
var docsPage string

//go:embed openapi.yaml
var specificationYAML []byte

//go:embed openapi.json
var specificationJSON []byte

func (s *Server) getSpecificationYAML(c echo.Context) error {
	return c.Blob(http.StatusOK, "application/yaml", specificationYAML)
}

func (s *Server) getSpecification(c echo.Context) error {
	return writeJSON(c.Response(), http.StatusOK, specificationJSON)
}

// getDocs is GET /docs: a page that shows the specification. It has its own
// style and script, which the nonce allows, and reads nothing but
// /openapi.json.
func (s *Server) getDocs(c echo.Context) error {
	nonce := rand.Text()
	h := c.Response().Header()
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'nonce-"+nonce+"'; style-src 'nonce-"+nonce+"'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	h["Referrer-Policy"] = headerNoReferrer
	return c.HTML(http.StatusOK, strings.ReplaceAll(docsPage, "{{nonce}}", nonce))
}
