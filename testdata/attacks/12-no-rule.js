/*---
rows = [12]
attack = "fetch where no rule opens the network"
outcomes = ["exception"]
error = "network\\.allow"
---*/
await fetch("http://@UPSTREAM@/");
