// An SMSC on the npm package smpp (node-smpp 0.5.1), steered over HTTP.
//
//   node smsc.js [--system-id bridge] [--password secret]
//
// It listens on 127.0.0.1, on ports that the system picks. Its first line says which:
// {"event":"listening","smpp":PORT,"control":PORT}. Every PDU that it receives or sends
// is one more line of JSON, short_message as hex. It ends with its standard input.
// Control, with JSON bodies:
//   POST /mo     {from,to,hex|text,dc,esm,udh,pid,tlv:{...},ton,npi,payload:true}  deliver_sm; answers with its response
//   POST /dlr    {id,stat,err,to,from,text:false,tlv:false}  the delivery receipt of a message id
//   POST /conf   {dlrDelayMs,autoDlr,dlrStat,respDelayMs,idFormat:"dec"|"hex"|"uuid",muteEnquire,bindStatus}
//   POST /fault  {status:88,count:5} | {drop:true,count:5}  the next COUNT submit_sm get this status, or no answer
//   POST /kick   {how:"destroy"|"unbind"|"half"}  end all sessions
//   POST /raw    {hex}  write these octets to every bound session
//   POST /gnack  {seq,status}  generic_nack
//   GET  /state  who is bound, and counts
//   GET  /submits  every submit_sm so far: {id,from,to,esm,dc,hex}
'use strict';
const http = require('http'), crypto = require('crypto');
const smpp = require('smpp');

const arg = (n, d) => { const i = process.argv.indexOf('--' + n); return i < 0 ? d : process.argv[i + 1]; };
const HOST = '127.0.0.1';
const SYSID = arg('system-id', 'bridge'), PASS = arg('password', 'secret');

// We want octets, not the library's decoding of them.
for (const c of ['submit_sm', 'deliver_sm', 'replace_sm', 'submit_multi', 'data_sm'])
  for (const p of Object.values(smpp.commands[c].params)) delete p.filter;
delete smpp.tlvs.message_payload.filter;

const conf = { autoDlr: true, dlrDelayMs: 50, dlrStat: 'DELIVRD', respDelayMs: 0, idFormat: 'dec', muteEnquire: false, bindStatus: 0 };
const count = { bind: 0, submit_sm: 0, deliver_sm_resp: 0, enquire_link: 0 };
let nextId = 1, faults = [];
const sent = new Map();      // message id -> what was submitted
const submits = [];           // the same, in order, for GET /submits
const bound = new Map();     // session -> {rx, tx}

const enc = v => Buffer.isBuffer(v) ? v.toString('hex') : v;
function show(pdu) {
  const o = {};
  for (const [k, v] of Object.entries(pdu)) o[k] = enc(v);
  return o;
}
const emit = o => process.stdout.write(JSON.stringify({ t: Date.now(), ...o }) + '\n');

function fault(cmd) {
  const f = faults.find(x => x.cmd === cmd && x.count > 0);
  if (f) f.count--;
  return f;
}
function newId() {
  const n = nextId++;
  return conf.idFormat === 'hex' ? n.toString(16).toUpperCase().padStart(8, '0')
    : conf.idFormat === 'uuid' ? crypto.randomUUID() : String(n).padStart(10, '0');
}
function stamp(d) { return d.toISOString().replace(/[-T:]/g, '').slice(2, 12); }   // YYMMDDhhmm
const STATE = { ENROUTE: 1, DELIVRD: 2, EXPIRED: 3, DELETED: 4, UNDELIV: 5, ACCEPTD: 6, UNKNOWN: 7, REJECTD: 8 };

function receiver() { for (const [s, b] of bound) if (b.rx) return s; return null; }
function ask(s, cmd, o) {
  return new Promise(res => {
    const t = setTimeout(() => res({ timeout: true }), 10000);
    const ok = s[cmd](o, r => { clearTimeout(t); res(show(r)); });
    if (!ok) { clearTimeout(t); res({ error: 'socket not writable' }); }
    else emit({ dir: 'out', cmd, ...Object.fromEntries(Object.entries(o).map(([k, v]) => [k, enc(v)])) });
  });
}
function dlr(o) {
  const s = receiver();
  if (!s) return Promise.resolve({ error: 'no receiver bound' });
  const m = sent.get(o.id) || { from: o.from || '', to: o.to || '', when: new Date(), head: '' };
  const stat = o.stat || conf.dlrStat;
  const text = `id:${o.id} sub:001 dlvrd:${stat === 'DELIVRD' ? '001' : '000'} submit date:${stamp(m.when)} ` +
    `done date:${stamp(new Date())} stat:${stat} err:${o.err || '000'} text:${m.head}`;
  const p = {
    source_addr_ton: 1, source_addr_npi: 1, source_addr: m.to, dest_addr_ton: 1, dest_addr_npi: 1, destination_addr: m.from,
    esm_class: 4, data_coding: 0, short_message: o.text === false ? Buffer.alloc(0) : Buffer.from(text, 'latin1')
  };
  if (o.tlv !== false) { p.receipted_message_id = o.id; p.message_state = STATE[stat] || 7; }
  return ask(s, 'deliver_sm', p);
}

const server = smpp.createServer(s => {
  s.on('error', e => { emit({ event: 'session-error', error: String(e) }); s.destroy(); });   // the library is stuck after a bad frame
  s.on('close', () => { bound.delete(s); emit({ event: 'closed' }); });
  s.on('pdu', p => {
    emit({ dir: 'in', ...show(p) });
    if (p.command in count) count[p.command]++;
  });
  for (const c of ['bind_transceiver', 'bind_transmitter', 'bind_receiver'])
    s.on(c, p => {
      count.bind++;
      let st = conf.bindStatus;
      if (!st && bound.has(s)) st = smpp.ESME_RALYBND;
      if (!st && p.system_id !== SYSID) st = smpp.ESME_RINVSYSID;
      if (!st && p.password !== PASS) st = smpp.ESME_RINVPASWD;
      if (!st) bound.set(s, { rx: c !== 'bind_transmitter', tx: c !== 'bind_receiver' });
      s.send(p.response({ command_status: st, system_id: 'NODESMSC', sc_interface_version: 0x34 }));
    });
  s.on('enquire_link', p => { if (!conf.muteEnquire) s.send(p.response()); });
  s.on('unbind', p => { bound.delete(s); s.send(p.response()); s.close(); });
  s.on('unknown', p => s.send(p.response()));
  s.on('submit_sm', p => {
    const b = bound.get(s);
    if (!b || !b.tx) return s.send(p.response({ command_status: smpp.ESME_RINVBNDSTS }));
    const f = fault('submit_sm');
    if (f && f.drop) return;
    if (f) return s.send(p.response({ command_status: f.status }));
    const id = newId();
    sent.set(id, { from: p.source_addr, to: p.destination_addr, when: new Date(), head: p.short_message.toString('latin1').slice(0, 20) });
    submits.push({ id, from: p.source_addr, to: p.destination_addr, esm: p.esm_class, dc: p.data_coding, hex: enc(p.message_payload ?? p.short_message) });
    const go = () => {
      s.send(p.response({ message_id: id }));
      emit({ event: 'accepted', id, seq: p.sequence_number });
      if (conf.autoDlr && (p.registered_delivery & 3)) setTimeout(() => dlr({ id }), conf.dlrDelayMs);
    };
    conf.respDelayMs ? setTimeout(go, conf.respDelayMs) : go();
  });
  for (const c of ['query_sm', 'cancel_sm', 'replace_sm', 'submit_multi', 'data_sm'])
    s.on(c, p => s.send(p.response({ command_status: smpp.ESME_RINVCMDID })));
});

const routes = {
  '/mo': o => {
    const s = receiver();
    if (!s) return { error: 'no receiver bound' };
    let body = o.hex !== undefined ? Buffer.from(o.hex, 'hex') : Buffer.from(o.text || '', 'latin1');
    let esm = o.esm || 0;
    if (o.udh) { body = Buffer.concat([Buffer.from(o.udh, 'hex'), body]); esm |= 0x40; }
    const p = {
      source_addr_ton: o.ton ?? 1, source_addr_npi: o.npi ?? 1, source_addr: o.from, dest_addr_ton: 1, dest_addr_npi: 1,
      destination_addr: o.to, esm_class: esm, protocol_id: o.pid || 0, data_coding: o.dc || 0,
      short_message: o.payload ? Buffer.alloc(0) : body, ...(o.tlv || {})
    };
    if (o.payload) p.message_payload = body;
    return ask(s, 'deliver_sm', p);
  },
  '/dlr': dlr,
  '/conf': o => Object.assign(conf, o),
  '/fault': o => { faults.push({ cmd: 'submit_sm', count: 1, ...o }); return faults; },
  '/kick': async o => {
    const all = [...bound.keys()];
    for (const s of all) {
      if (o.how === 'unbind') await ask(s, 'unbind', {});
      o.how === 'destroy' || !o.how ? s.socket.resetAndDestroy() : s.socket.end();
    }
    return { kicked: all.length };
  },
  '/raw': o => { for (const s of bound.keys()) s.socket.write(Buffer.from(o.hex, 'hex')); return { sent: bound.size }; },
  '/gnack': o => { for (const s of bound.keys()) s.send(new smpp.PDU('generic_nack', { command_status: o.status, sequence_number: o.seq })); return {}; },
};
const state = () => ({ bound: [...bound.values()], count, conf, faults, lastId: nextId - 1 });
const control = http.createServer((q, r) => {
  let b = '';
  q.on('data', d => b += d).on('end', async () => {
    let out, code = 200;
    try {
      const f = routes[q.url];
      out = q.method === 'GET' ? (q.url === '/submits' ? submits : state()) : f ? await f(b ? JSON.parse(b) : {}) : (code = 404, {});
    } catch (e) { code = 400; out = { error: String(e) }; }
    r.writeHead(code, { 'content-type': 'application/json' }); r.end(JSON.stringify(out) + '\n');
  });
});

server.listen(0, HOST, () => control.listen(0, HOST, () =>
  emit({ event: 'listening', smpp: server.address().port, control: control.address().port })));
process.stdin.on('end', () => process.exit(0)).resume();
