use llama_cpp_2::context::params::LlamaContextParams;
use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::model::params::LlamaModelParams;
use std::io::BufRead;
use std::num::NonZeroU32;
// probe MODEL SYSTEM AFTER opt1 opt2 ...   (utterances on stdin; AFTER is text after assistant\n)
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let mut backend = LlamaBackend::init().unwrap();
    backend.void_logs();
    let model = LlamaModel::load_from_file(&backend, &a[1], &LlamaModelParams::default()).unwrap();
    let system = std::fs::read_to_string(&a[2]).unwrap();
    let params = LlamaContextParams::default()
        .with_n_ctx(NonZeroU32::new(8192))
        .with_n_batch(512)
        .with_n_threads(2)
        .with_n_threads_batch(2);
    let mut ctx = model.new_context(&backend, params).unwrap();
    let tok = |t: &str| model.vocab().tokenize(t.as_bytes(), false, true);
    let mut batch = LlamaBatch::new(512, 1);
    let mut feed = |ctx: &mut llama_cpp_2::context::LlamaContext,
                    toks: &[llama_cpp_2::token::LlamaToken],
                    from: usize| {
        for (c, chunk) in toks.chunks(512).enumerate() {
            batch.clear();
            for (i, t) in chunk.iter().enumerate() {
                batch.add(*t, (from + c * 512 + i) as i32, &[0], i + 1 == chunk.len()).unwrap();
            }
            ctx.decode(&mut batch).unwrap();
        }
        let last = batch.n_tokens() - 1;
        ctx.get_logits_ith(last).to_vec()
    };
    let base = tok(&format!("<|im_start|>system\n{}<|im_end|>\n", system.trim_end()));
    feed(&mut ctx, &base, 0);
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        ctx.clear_kv_cache_seq(Some(0), Some(base.len() as u32), None).unwrap();
        let q =
            tok(&format!("<|im_start|>user\n{line}<|im_end|>\n<|im_start|>assistant\n{}", a[3]));
        let logits = feed(&mut ctx, &q, base.len());
        let n = base.len() + q.len();
        let mut scores = vec![];
        for opt in &a[4..] {
            let t = tok(opt);
            let mut l = logits.clone();
            let mut s = 0.0f32;
            for (i, x) in t.iter().enumerate() {
                let m = l.iter().cloned().fold(f32::MIN, f32::max);
                let z: f32 = l.iter().map(|v| (v - m).exp()).sum();
                s += l[x.0 as usize] - m - z.ln();
                if i + 1 < t.len() {
                    l = feed(&mut ctx, &[*x], n + i);
                }
            }
            ctx.clear_kv_cache_seq(Some(0), Some(n as u32), None).unwrap();
            scores.push((s, opt.clone()));
        }
        scores.sort_by(|a, b| b.0.total_cmp(&a.0));
        let show: Vec<String> = scores.iter().take(3).map(|(s, o)| format!("{o} {s:.1}")).collect();
        println!("{line:70} {}", show.join(" | "));
    }
}
